/** The share before the real spice-webdavd: the guest's daemon, behind which any WebDAV client is a TCP client. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { bash, run } from '../../support/run.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';
import { requireLitmus } from '../litmus.js';
import { startWebdavd, type WebdavdRig } from './webdavd.js';

/** A TCP client that has sent this much. */
async function clientOf({ port }: WebdavdRig, request: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(request);
  return socket;
}

function headOf({ port }: WebdavdRig, line: string, ...fields: string[]): string {
  return [`${line} HTTP/1.1`, `Host: localhost:${port}`, ...fields, '', ''].join('\r\n');
}

test('curl: up, down, a range, a listing', async (t) => {
  const { url, dir, scratch } = await startWebdavd();
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const content = random.bytes(8 << 20);
  writeFileSync(path.join(scratch, 'up'), content);
  const script = `
    cd "$2"
    curl -sSf -m 20 -T up "$1a%20name"
    curl -sSf -m 20 "$1a%20name" -o down
    curl -sSf -m 20 -r 1000000-1999999 "$1a%20name" -o part
    curl -sSf -m 20 -T - "$1chunked" < up
    curl -sSf -m 20 -X PROPFIND -H 'Depth: 1' "$1"`;
  const { stdout } = await bash(script, [url, scratch]);
  assert.match(stdout, /a%20name/);
  assert.ok(readFileSync(path.join(dir, 'a name')).equals(content));
  assert.ok(readFileSync(path.join(dir, 'chunked')).equals(content));
  assert.ok(readFileSync(path.join(scratch, 'down')).equals(content));
  assert.ok(
    readFileSync(path.join(scratch, 'part')).equals(content.subarray(1_000_000, 2_000_000)),
  );
});

test('cadaver: put, mkcol, copy, move, rmcol', async () => {
  const { url, dir, scratch } = await startWebdavd();
  writeFileSync(path.join(scratch, 'f.txt'), 'cadaver');
  const commands = ['put f.txt', 'mkcol d', 'move f.txt d/g.txt', 'copy d/g.txt h.txt', 'rmcol d'];
  const input = `${commands.join('\n')}\nquit\n`;
  await run('cadaver', [url], { cwd: scratch, input, env: { HOME: scratch } });
  assert.equal(readFileSync(path.join(dir, 'h.txt'), 'utf8'), 'cadaver');
  assert.deepEqual(readdirSync(dir), ['h.txt']);
});

test('litmus: all suites', async () => {
  const { url, scratch } = await startWebdavd();
  await requireLitmus(url, scratch);
});

test('ids that are negative, and ids that come back', { timeout: 120_000 }, async () => {
  const rig = await startWebdavd();
  writeFileSync(path.join(rig.dir, 'file'), 'content');
  // They are halves of addresses: whether those of a daemon are negative is chance.
  const seen = (): boolean => {
    const ids = new Set(rig.ids);
    return rig.ids.some((id) => id < 0n) && ids.size < rig.ids.length;
  };
  for (let daemons = 0; !seen() && daemons < 40; daemons++) {
    if (daemons > 0) {
      await rig.kill();
      await rig.start();
    }
    const each = 'curl -sSf -m 10 -H "Connection: close" "$1file"';
    const { stdout } = await bash(`for i in 1 2 3 4 5 6 7 8 9 10; do ${each}; done`, [rig.url]);
    assert.equal(stdout, 'content'.repeat(10));
  }
  assert.ok(seen(), `no negative id or none that came back: ${rig.ids.join(' ')}`);
});

test('clients that reset the connection in the middle of an upload', async () => {
  const rig = await startWebdavd();
  const target = path.join(rig.dir, 'file');
  writeFileSync(target, 'the old content');
  for (let round = 0; round < 12; round++) {
    const client = await clientOf(rig, headOf(rig, 'PUT /file', 'Content-Length: 3000'));
    client.write('n'.repeat(round * 200));
    await waitUntil('request at the share', () => rig.share.stats.active === 1);
    client.resetAndDestroy();
    // The next connections get its id, among others; the daemon has told nothing.
    const { stdout } = await bash('for i in 1 2 3; do curl -sSf -m 10 "$1file"; done', [rig.url]);
    assert.equal(stdout, 'the old content'.repeat(3));
    await waitUntil('end of the upload', async () => {
      if (rig.share.stats.active === 0) return true;
      await bash('curl -sSf -m 10 "$1file"', [rig.url]);
      return false;
    });
  }
  assert.equal(readFileSync(target, 'utf8'), 'the old content');
  assert.deepEqual(readdirSync(rig.dir), ['file']);
});

test('clients that reset the connection in the middle of a download', async () => {
  const rig = await startWebdavd();
  writeFileSync(path.join(rig.dir, 'large'), Buffer.alloc(32 << 20, 'x'));
  writeFileSync(path.join(rig.dir, 'file'), 'content');
  for (let round = 0; round < 8; round++) {
    const client = await clientOf(rig, headOf(rig, 'GET /large'));
    await once(client, 'data');
    client.resetAndDestroy();
    // What was on its way for the old connection reaches the one that got its id: that one breaks, a later one must not.
    const answer = await waitUntil('an answer', async () => {
      const args = ['-sS', '-f', '-m', '10', `${rig.url}file`];
      const { code, stdout } = await run('curl', args, { accept: 'any' });
      return code === 0 && stdout;
    });
    assert.equal(answer, 'content');
  }
});

test('parallel clients, up and down at once', { timeout: 120_000 }, async (t) => {
  const { url, dir, scratch } = await startWebdavd();
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const names = Array.from({ length: 24 }, (_, at) => `f${at}`);
  for (const name of names) {
    writeFileSync(path.join(scratch, name), random.bytes(random.between(0, 600_000)));
  }
  const script = `
    cd "$2"
    up() { curl -sSf -m 60 -T "$2" "$1$2" && curl -sSf -m 60 "$1$2" | cmp - "$2"; }
    export -f up
    printf '%s\\n' f* | xargs -P 12 -I{} bash -euo pipefail -c 'up "$0" {}' "$1"`;
  await bash(script, [url, scratch], { timeoutMs: 100_000 });
  for (const name of names) {
    const there = readFileSync(path.join(dir, name));
    assert.ok(there.equals(readFileSync(path.join(scratch, name))), name);
  }
});

test('a daemon that is killed and started again', { timeout: 120_000 }, async () => {
  const rig = await startWebdavd();
  writeFileSync(path.join(rig.dir, 'file'), 'the old content');
  writeFileSync(path.join(rig.dir, 'large'), Buffer.alloc(32 << 20, 'x'));
  for (let round = 0; round < 4; round++) {
    const down = await clientOf(rig, headOf(rig, 'GET /large'));
    const up = await clientOf(rig, headOf(rig, 'PUT /file', 'Content-Length: 500000'));
    for (const client of [down, up]) client.on('error', () => undefined);
    up.write('n'.repeat(300_000));
    await once(down, 'data');
    // It would flow on, and be at its end before it is counted.
    down.pause();
    await waitUntil('both at the share', () => rig.share.stats.active === 2);
    await rig.kill();
    await waitUntil('end of both', () => rig.share.stats.active === 0);
    await rig.start();
    const { stdout } = await run('curl', ['-sSf', '-m', '10', `${rig.url}file`]);
    assert.equal(stdout, 'the old content');
    down.destroy();
    up.destroy();
  }
  assert.deepEqual(readdirSync(rig.dir).sort(), ['file', 'large']);
});
