import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { startDavport } from '../support/davport.js';
import type { Background } from '../support/background.js';
import { mountsBelow } from '../support/mountinfo.js';
import { bash } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

async function startDemo(
  tmp: string,
  ...args: string[]
): Promise<{ demo: Background; shared: string; mounted: string }> {
  const demo = startDavport(['demo', ...args], { TMPDIR: tmp });
  const places = await waitUntil(
    'the demo',
    () => {
      if (!demo.running) throw new Error(demo.log());
      return demo.log().includes('Ctrl-C')
        ? /^Shared on a channel: +(.*)\nMounted: +(.*)$/m.exec(demo.log())
        : null;
    },
    30_000,
  );
  return { demo, shared: places![1]!, mounted: places![2]! };
}

test(
  'demo: files are seen at both ends, ^C leaves nothing behind',
  { timeout: 60_000 },
  async () => {
    const tmp = makeTempDir();
    const { demo, shared, mounted } = await startDemo(tmp);
    assert.equal(mountsBelow(tmp).length, 1);
    assert.match(demo.log(), /hello\.txt/);
    const script = `
    cd "$1"
    cat hello.txt
    src/greet.sh tester
    echo from the mount > new.txt
    cat "$2/new.txt"
    echo from the share > "$2/other.txt"
    # Names are at most a second old.
    for try in $(seq 100); do test -e other.txt && break; sleep 0.1; done
    cat other.txt`;
    const { stdout } = await bash(script, [mounted, shared]);
    assert.match(stdout, /other side/);
    assert.match(
      stdout,
      /Hello from the shared folder, tester!\nfrom the mount\nfrom the share\n$/,
    );
    demo.kill('SIGINT');
    assert.equal((await demo.exited).code, 0, demo.log());
    assert.deepEqual(mountsBelow(tmp), []);
    assert.deepEqual(readdirSync(tmp), []);
  },
);

test('demo DIR: the folder stays as it is', { timeout: 60_000 }, async () => {
  const tmp = makeTempDir();
  const folder = makeTempDir();
  writeFileSync(`${folder}/mine`, 'precious');
  const { demo, shared, mounted } = await startDemo(tmp, folder);
  assert.equal(shared, folder);
  assert.equal((await bash('cat "$1/mine"', [mounted])).stdout, 'precious');
  demo.kill('SIGTERM');
  assert.equal((await demo.exited).code, 0, demo.log());
  assert.deepEqual(readdirSync(folder), ['mine']);
  assert.deepEqual(readdirSync(tmp), []);
});

test('demo: killed, its two ends go by themselves', { timeout: 60_000 }, async () => {
  const tmp = makeTempDir();
  const { demo, shared } = await startDemo(tmp);
  demo.kill('SIGKILL');
  await demo.exited;
  await waitUntil('the mount to go', () => mountsBelow(tmp).length === 0, 20_000);
  assert.ok(existsSync(shared));
});

test('demo of no folder: exit 2 and one line', { timeout: 20_000 }, async () => {
  const demo = startDavport(['demo', '/no/such/folder']);
  assert.equal((await demo.exited).code, 2);
  assert.match(demo.log(), /^davport: [^\n]+\n$/);
});
