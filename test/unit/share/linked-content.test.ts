/** Content of files with several names: it is written into the file, so that all names show it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { onCleanup } from '../../support/cleanup.js';
import { bash } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { POSIX_BODY, startShare, type TestShare } from './fixture.js';

async function startLinked(content: string | Buffer): Promise<TestShare> {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('a'), content);
  fs.linkSync(t.at('a'), t.at('d', 'b'));
  return t;
}

const both = (t: TestShare): Buffer[] => [t.at('a'), t.at('d', 'b')].map((p) => fs.readFileSync(p));
const left = (t: TestShare): string[] => fs.readdirSync(t.dir).sort();

test('PUT and COPY to one name are seen through the others', async () => {
  const t = await startLinked('old');
  const { ino } = fs.statSync(t.at('a'));
  let etag = (await t.request('HEAD', '/a')).headers.etag;
  for (const size of [10, 0, 131_073, 3_000_001, 7]) {
    const body = Buffer.alloc(size, size % 250);
    const headers = {
      'If-Match': etag!,
      'Davport-Posix': 'mode=100640 mtime=1700000000.123456789',
    };
    const answer = await t.request('PUT', '/d/b', { headers, body });
    assert.equal(answer.status, 204, answer.text);
    assert.notEqual(answer.headers.etag, etag);
    ({ etag } = answer.headers);
    for (const content of both(t)) assert.ok(content.equals(body));
    const stat = fs.statSync(t.at('a'), { bigint: true });
    assert.deepEqual([stat.mode & 0o777n, stat.mtimeNs], [0o640n, 1_700_000_000_123_456_789n]);
    assert.equal((await t.request('HEAD', '/a')).headers.etag, etag);
  }
  fs.writeFileSync(t.at('c'), 'copied');
  fs.chmodSync(t.at('c'), 0o755);
  const copied = await t.request('COPY', '/c', { headers: { Destination: '/a' } });
  assert.equal(copied.status, 204);
  assert.equal(fs.readFileSync(t.at('d', 'b'), 'utf8'), 'copied');
  const { mode, nlink, ino: now } = fs.statSync(t.at('a'));
  assert.deepEqual([mode & 0o777, nlink, now], [0o755, 2, ino]);
  // MOVE puts another file in the place of one name.
  await t.request('MOVE', '/c', { headers: { Destination: '/a' } });
  assert.equal(fs.statSync(t.at('d', 'b')).nlink, 1);
  assert.deepEqual(left(t), ['a', 'd']);
});

test('the copy of a tree has the hard links of the tree', async () => {
  const t = await startLinked('content');
  fs.mkdirSync(t.at('d', 'ä'));
  fs.linkSync(t.at('a'), t.at('d', 'ä', 'c'));
  fs.writeFileSync(t.at('d', 'alone'), 'alone');
  fs.writeFileSync(Buffer.concat([Buffer.from(t.at('d', 'ä')), Buffer.from([0x2f, 0xff])]), 'x');
  fs.linkSync(
    Buffer.concat([Buffer.from(t.at('d', 'ä')), Buffer.from([0x2f, 0xff])]),
    t.at('d', 'x'),
  );
  const copied = await t.request('COPY', '/d', { headers: { Destination: '/e' } });
  assert.equal(copied.status, 201);
  const inoOf = (...path: string[]): number => fs.statSync(t.at(...path)).ino;
  const { nlink } = fs.statSync(t.at('e', 'b'));
  assert.deepEqual([nlink, fs.statSync(t.at('a')).nlink], [2, 3]);
  assert.equal(inoOf('e', 'b'), inoOf('e', 'ä', 'c'));
  assert.notEqual(inoOf('e', 'b'), inoOf('a'));
  assert.equal(fs.readFileSync(t.at('e', 'ä', 'c'), 'utf8'), 'content');
  assert.deepEqual(
    ['alone', 'x'].map((name) => fs.statSync(t.at('e', name)).nlink),
    [1, 2],
  );
});

test('conditions hold, and an aborted PUT changes nothing', async () => {
  const t = await startLinked('old');
  const stale = { 'If-Match': '"stale"' };
  assert.equal((await t.request('PUT', '/a', { headers: stale, body: 'new' })).status, 412);
  for (const size of [1000, 5_000_000]) {
    const socket = await t.connect();
    socket.write(`PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size - 1, 1));
    await waitUntil('the request to begin', () => t.share.stats.active === 1);
    socket.destroy();
    await waitUntil('the request to end', () => t.share.stats.active === 0);
    for (const content of both(t)) assert.equal(content.toString(), 'old');
  }
  assert.deepEqual(left(t), ['a', 'd']);
});

test('PUTs through different names at the same time: the content is that of one', async () => {
  const size = 4_000_000;
  const t = await startLinked(Buffer.alloc(size, 'z'));
  const targets = ['/a', '/d/b', '/a', '/d/b', '/a'];
  const put = targets.map((target, i) =>
    t.request('PUT', target, { body: Buffer.alloc(size - i, 'abcde'[i]) }),
  );
  const whole = /^(a{4000000}|b{3999999}|c{3999998}|d{3999997}|e{3999996}|z{4000000})$/;
  const state = { done: false };
  const reader = (async () => {
    while (!state.done) {
      try {
        const { status, text } = await t.request('GET', '/a');
        assert.equal(status, 200);
        assert.match(text, whole);
      } catch (error) {
        // A change began while it was sent: the connection breaks off.
        assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
      }
    }
  })();
  for (const { status } of await Promise.all(put)) assert.equal(status, 204);
  state.done = true;
  await reader;
  const [a, b] = both(t);
  assert.ok(a!.equals(b!));
  assert.match(a!.toString(), whole);
});

test('a file system that is full: 507, and the old content', async () => {
  const root = makeTempDir('davport-small-');
  await bash('mount -t tmpfs -o size=3m none "$1"', [root]);
  const unmount = async (): Promise<void> => {
    await bash('umount -l "$1"', [root]);
  };
  const done = onCleanup({ run: unmount, runSync: () => void spawnSync('umount', ['-l', root]) });
  const t = await startShare({ root });
  try {
    fs.writeFileSync(t.at('a'), 'old');
    fs.linkSync(t.at('a'), t.at('b'));
    const { etag } = (await t.request('HEAD', '/b')).headers;
    // Staged it has room, beside that it has none.
    const answer = await t.request('PUT', '/a', { body: Buffer.alloc(2_000_000, 1) });
    assert.equal(answer.status, 507);
    assert.equal(fs.readFileSync(t.at('b'), 'utf8'), 'old');
    assert.deepEqual(left(t), ['a', 'b']);
    const told = await t.request('PROPFIND', '/b', { headers: { Depth: '0' }, body: POSIX_BODY });
    assert.match(told.text, /<D:getcontentlength>3</);
    assert.equal((await t.request('HEAD', '/b')).headers.etag, etag);
  } finally {
    await t.close();
    await unmount();
    done();
  }
});
