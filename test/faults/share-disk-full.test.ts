/** A file system that runs full under the share: 507, the old state stays, and nothing is left behind. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeTempDir } from '../support/temp-dir.js';
import { startShare, type TestShare } from '../unit/share/fixture.js';

const MiB = 1024 * 1024;
const withoutRoot = process.getuid?.() === 0 ? false : 'mounting a small file system needs root';

/** A folder on a file system of its own. */
function smallFolder(
  options: string,
  at = path.join(makeTempDir('davport-full-'), 'root'),
): string {
  fs.mkdirSync(at);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', at]);
  return at;
}

/** Until there is no room for one more block. */
function fill(file: string): void {
  const fd = fs.openSync(file, 'w');
  try {
    for (;;) fs.writeSync(fd, Buffer.alloc(4096));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  } finally {
    fs.closeSync(fd);
  }
}

const all = (t: TestShare): string[] =>
  fs.readdirSync(t.dir, { recursive: true, encoding: 'utf8' }).sort();

test('PUT on a full file system', { skip: withoutRoot }, async () => {
  const t = await startShare({ root: smallFolder('size=2m') });
  fs.writeFileSync(t.at('f'), 'old');
  for (const headers of [{}, { 'Davport-Sync': '1' }]) {
    for (const target of ['/f', '/new']) {
      const answer = await t.request('PUT', target, { headers, body: Buffer.alloc(3 * MiB) });
      assert.equal(answer.status, 507, target);
    }
    const chunked = await t.connect();
    chunked.write('PUT /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const reply = new Promise<Buffer>((resolve) => chunked.once('data', resolve));
    for (let count = 0; count < 48; count++) chunked.write(`10000\r\n${'x'.repeat(65_536)}\r\n`);
    chunked.write('0\r\n\r\n');
    assert.match((await reply).toString('latin1'), /^HTTP\/1\.1 507 /);
    chunked.destroy();
  }
  // Not a single byte is left for small ones either.
  assert.equal((await t.request('PUT', '/fill', { body: Buffer.alloc(MiB) })).status, 201);
  fill(t.at('fill-2'));
  assert.equal((await t.request('PUT', '/f', { body: 'new content' })).status, 507);
  assert.equal((await t.request('PUT', '/new', { body: 'new content' })).status, 507);
  assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'old');
  assert.deepEqual(all(t), ['f', 'fill', 'fill-2']);
  assert.equal((await t.request('DELETE', '/fill')).status, 204);
  assert.equal((await t.request('PUT', '/f', { body: 'new content' })).status, 204);
  assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'new content');
  await t.close();
});

test('a change of a part on a full file system', { skip: withoutRoot }, async () => {
  const t = await startShare({ root: smallFolder('size=4m') });
  const content = Buffer.alloc(MiB, 'o');
  fs.writeFileSync(t.at('f'), content);
  const change = async (range: string, size: number): Promise<number> => {
    const headers = {
      'X-Update-Range': range,
      'Content-Type': 'application/x-sabredav-partialupdate',
    };
    return (await t.request('PATCH', '/f', { headers, body: Buffer.alloc(size, 'n') })).status;
  };
  // Staged as a whole, and then there is no room for the part beyond the end.
  assert.equal(await change('bytes=10-', 2 * MiB), 507);
  assert.equal(await change('append', 2 * MiB), 507);
  // There is none even for staging.
  assert.equal(await change('bytes=0-', 4 * MiB), 507);
  fill(t.at('fill'));
  assert.equal(await change('append', 50_000), 507);
  assert.equal(await change(`bytes=${MiB - 1000}-`, 50_000), 507);
  assert.ok(fs.readFileSync(t.at('f')).equals(content));
  assert.deepEqual(all(t), ['f', 'fill']);
  // What needs no room is done.
  assert.equal(await change('bytes=0-9', 10), 204);
  assert.equal(fs.readFileSync(t.at('f'), 'utf8').slice(0, 12), 'nnnnnnnnnnoo');
  await t.close();
});

test('COPY and MOVE when the disk gets full', { skip: withoutRoot }, async () => {
  const t = await startShare({ root: smallFolder('size=4m') });
  fs.mkdirSync(t.at('tree', 'sub'), { recursive: true });
  fs.writeFileSync(t.at('tree', 'a'), Buffer.alloc(MiB, 'a'));
  fs.writeFileSync(t.at('tree', 'sub', 'b'), Buffer.alloc(MiB + 4096, 'b'));
  fs.mkdirSync(t.at('old'));
  fs.writeFileSync(t.at('old', 'member'), 'old');
  const before = all(t);
  for (const [target, to] of [
    ['/tree', '/new'],
    ['/tree', '/old'],
    ['/tree/', '/old/new/'],
  ] as const) {
    const answer = await t.request('COPY', target, { headers: { Destination: to } });
    assert.equal(answer.status, 507, `${to} ${answer.text}`);
    assert.deepEqual(all(t), before);
  }
  // A move within the file system needs no room.
  assert.equal(
    (await t.request('MOVE', '/tree', { headers: { Destination: '/moved' } })).status,
    201,
  );
  // One to another needs it; the source stays.
  smallFolder('size=1m', t.at('mounted'));
  const state = all(t);
  const moved = await t.request('MOVE', '/moved', { headers: { Destination: '/mounted/x' } });
  assert.equal(moved.status, 507, moved.text);
  assert.deepEqual(all(t), state);
  assert.equal(fs.readFileSync(t.at('moved', 'a')).length, MiB);
  await t.close();
});

test('no room for another name', { skip: withoutRoot }, async () => {
  const t = await startShare({ root: smallFolder('size=4m,nr_inodes=4') });
  fs.writeFileSync(t.at('f'), 'old');
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'g'), 'g');
  assert.equal((await t.request('MKCOL', '/new')).status, 507);
  assert.equal((await t.request('PUT', '/new', { body: 'x' })).status, 507);
  assert.equal((await t.request('PUT', '/f', { body: 'x' })).status, 507);
  const copy = await t.request('COPY', '/d', { headers: { Destination: '/e' } });
  assert.equal(copy.status, 507);
  assert.equal((await t.request('DELETE', '/d')).status, 204);
  assert.equal((await t.request('PUT', '/f', { body: 'new' })).status, 204);
  assert.deepEqual(all(t), ['f']);
  await t.close();
});
