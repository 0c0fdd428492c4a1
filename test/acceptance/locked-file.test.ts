/** What programs on a mount see of a file that another client of the share has locked. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { serveShare } from '../interop/served-share.js';
import { mountDavport } from '../support/mount.js';
import { bash } from '../support/run.js';
import { waitUntil } from '../support/wait-until.js';

const LOCK = `curl -sSf -o /dev/null -D - -X LOCK -H 'Depth: 0' --data \
  '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>' \
  "$1" | tr -d '\\r' | sed -n 's/^Lock-Token: //Ip'`;

test('a file locked by another client: EBUSY, readable, and free when the lock ends', async () => {
  const { url, dir } = await serveShare();
  const mount = await mountDavport({ channel: url });
  const at = async (script: string): Promise<string> => {
    const { code, stderr } = await bash(`cd "$1" && ${script}`, [mount.dir], { accept: 'any' });
    return code === 0 ? 'done' : stderr;
  };
  assert.equal(await at('echo old > f && echo x > other && mkdir d && echo newer > newer'), 'done');
  const { stdout: token } = await bash(LOCK, [`${url}f`]);
  assert.match(token, /^<urn:uuid:/);
  assert.equal(await at('grep old f && cp f copy && mv copy d'), 'done');
  for (const change of ['rm f', 'mv f g', 'mv other f', 'chmod 600 f', 'cp other f']) {
    assert.match(await at(change), /busy/, change);
    assert.equal(readFileSync(join(dir, 'f'), 'utf8'), 'old\n', change);
  }
  await bash('curl -sSf -X UNLOCK -H "Lock-Token: $2" "$1"', [`${url}f`, token.trim()]);
  await waitUntil('a change', async () => (await at('cp newer f')) === 'done');
  assert.equal(readFileSync(join(dir, 'f'), 'utf8'), 'newer\n');
  await mount.unmount();
});
