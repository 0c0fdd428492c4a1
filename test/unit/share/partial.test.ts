import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { test } from 'node:test';
import { readToEnd, startShare, type Answer, type TestShare } from './fixture.js';
import { patch, PATCH_TYPE, putPart } from './partial-requests.js';

const content = (t: TestShare): string => fs.readFileSync(t.at('f'), 'latin1');
const inode = (t: TestShare): number => fs.statSync(t.at('f')).ino;

test('PATCH: a range, from an offset, from the end, append', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '0123456789');
  const ino = inode(t);
  for (const [range, body, expected] of [
    ['bytes=2-4', 'abc', '01abc56789'],
    ['bytes=8-', 'XYZ', '01abc567XYZ'],
    ['append', '!', '01abc567XYZ!'],
    ['bytes=-2', 'zw', '01abc567XYzw'],
    ['bytes=-1', 'ww+', '01abc567XYzww+'],
    ['BYTES=0-0', '_', '_1abc567XYzww+'],
    ['bytes=16-', '#', '_1abc567XYzww+\0\0#'],
    ['append', '', '_1abc567XYzww+\0\0#'],
  ] as const) {
    const answer = await patch(t, range, body);
    assert.equal(answer.status, 204, `${range}: ${answer.text}`);
    assert.equal(content(t), expected, range);
    const head = await t.request('HEAD', '/f');
    assert.equal(answer.headers.etag, head.headers.etag);
    assert.match(String(answer.headers['davport-posix']), new RegExp(`^size=${expected.length} `));
  }
  assert.equal(inode(t), ino);
  assert.deepEqual(fs.readdirSync(t.dir), ['f']);
});

test('PUT with Content-Range: in place, or a new file', async () => {
  const t = await startShare();
  const made = await putPart(t, 'bytes 3-5/*', 'def', { 'X-OC-Mtime': '1700000000' });
  assert.deepEqual([made.status, made.headers['x-oc-mtime']], [201, 'accepted']);
  assert.equal(content(t), '\0\0\0def');
  assert.equal(fs.statSync(t.at('f')).mtimeMs, 1_700_000_000_000);
  const ino = inode(t);
  assert.equal((await putPart(t, 'bytes 0-2/6', 'abc')).status, 204);
  assert.equal((await putPart(t, 'bytes 6-8/1000', 'ghi')).status, 204);
  assert.equal(content(t), 'abcdefghi');
  assert.equal(inode(t), ino);
});

test('size: truncated and extended, alone or with a range', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '0123456789');
  const set = (size: string): Record<string, string> => ({ 'Davport-Posix': size });
  const alone = await t.request('PATCH', '/f', { headers: set('size=4') });
  assert.equal(alone.status, 204, alone.text);
  assert.equal(content(t), '0123');
  assert.equal((await t.request('PATCH', '/f', { headers: set('size=6') })).status, 204);
  assert.equal(content(t), '0123\0\0');
  assert.equal((await patch(t, 'bytes=1-', 'ab', set('size=3'))).status, 204);
  assert.equal(content(t), '0ab');
  const both = await putPart(t, 'bytes 1-1/*', 'x', set('size=5 mtime=1.5 mode=100600'));
  assert.equal(both.status, 204);
  assert.equal(content(t), '0xb\0\0');
  const { mtimeNs, mode } = fs.statSync(t.at('f'), { bigint: true });
  assert.deepEqual([mtimeNs, mode & 0o777n], [1_500_000_000n, 0o600n]);
  assert.equal((await t.request('PATCH', '/f', { headers: set('size=0') })).status, 204);
  assert.equal(content(t), '');
  assert.equal((await t.request('PATCH', '/f', { headers: set('size=x') })).status, 400);
  const huge = await t.request('PATCH', '/f', { headers: set(`size=${'9'.repeat(15)}`) });
  assert.ok([204, 413].includes(huge.status), String(huge.status));
});

test('what can not be done is refused, and nothing changes', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '0123456789');
  fs.mkdirSync(t.at('d'));
  const { etag = '' } = (await t.request('HEAD', '/f')).headers;
  const before = fs.statSync(t.at('f'), { bigint: true });
  const cases: [Promise<Answer>, number][] = [
    [patch(t, undefined, 'x'), 400],
    [patch(t, 'nonsense', 'x'), 400],
    [patch(t, 'bytes=-', 'x'), 416],
    [patch(t, 'bytes=1-2,5-6', 'xx'), 400],
    [patch(t, 'bytes=4-2', 'x'), 416],
    [patch(t, 'bytes=2-4', 'xx'), 416],
    [patch(t, 'bytes=-11', 'x'), 416],
    [patch(t, `bytes=${'9'.repeat(30)}-`, 'x'), 416],
    [patch(t, 'append', 'x', { 'Content-Type': 'text/plain' }), 415],
    [patch(t, 'append', 'x', { 'Content-Encoding': 'gzip' }), 415],
    [patch(t, 'append', 'x', { 'If-Match': '"other"' }), 412],
    [patch(t, 'append', 'x', { 'If-None-Match': '*' }), 412],
    [patch(t, 'append', 'x', { 'Repr-Digest': 'sha-256=:AAAA:' }), 400],
    [patch(t, 'append', 'x', { 'Content-Digest': 'sha-256=:AAAA:' }), 400],
    [patch(t, 'append', 'x', { 'Davport-Posix': 'mode=x' }), 400],
    [putPart(t, 'bytes 2-4/*', 'xx'), 400],
    [putPart(t, 'bytes 4-2/*', 'x'), 400],
    [putPart(t, 'bytes 2-4/4', 'xxx'), 400],
    [putPart(t, 'bytes */4', 'xxx'), 400],
    [putPart(t, 'lines 2-4/*', 'xxx'), 400],
    [putPart(t, 'bytes 0-0/*', 'x', { 'If-Match': '"other"' }), 412],
    [t.request('PATCH', '/none', { headers: { 'Davport-Posix': 'size=1' } }), 404],
    [t.request('PATCH', '/d', { headers: { 'Davport-Posix': 'size=1' } }), 405],
    [t.request('PATCH', '/f/', { headers: { 'Davport-Posix': 'size=1' } }), 405],
    [t.request('PUT', '/d', { headers: { 'Content-Range': 'bytes 0-0/1' }, body: 'x' }), 405],
    [t.request('PUT', '/n/f', { headers: { 'Content-Range': 'bytes 0-0/1' }, body: 'x' }), 409],
  ];
  for (const [at, [answer, status]] of cases.entries()) {
    assert.equal((await answer).status, status, `case ${at}`);
  }
  const refused = await patch(t, 'append', 'x', { 'Content-Type': 'text/plain' });
  assert.equal(refused.headers['accept-patch'], `${PATCH_TYPE}, application/x-davport-extents`);
  assert.equal(content(t), '0123456789');
  assert.equal(fs.statSync(t.at('f'), { bigint: true }).ctimeNs, before.ctimeNs);
  assert.equal((await patch(t, 'append', '!', { 'If-Match': etag })).status, 204);
  assert.equal((await patch(t, 'append', '!', { 'If-Match': etag })).status, 412);
});

test('a chunked body, whose length is known only at its end', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '0123456789');
  const send = async (range: string, chunk: string): Promise<string> => {
    const socket = await t.connect();
    socket.write('PATCH /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n');
    socket.write(`X-Update-Range: ${range}\r\nContent-Type: ${PATCH_TYPE}\r\n`);
    socket.write('Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n');
    socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`);
    return (await readToEnd(socket)).match(/HTTP\/1.1 \d+/g)!.join();
  };
  assert.equal(await send('bytes=8-', 'abc'), 'HTTP/1.1 100,HTTP/1.1 204');
  assert.equal(await send('bytes=0-1', 'xy'), 'HTTP/1.1 100,HTTP/1.1 204');
  assert.equal(await send('bytes=0-1', 'long'), 'HTTP/1.1 100,HTTP/1.1 416');
  // Refused before the body is wanted.
  assert.equal(await send('bytes=1-0', 'x'), 'HTTP/1.1 416');
  assert.equal(content(t), 'xy234567abc');
  assert.deepEqual(fs.readdirSync(t.dir), ['f']);
});

test('a read-only share has no PATCH', async () => {
  const t = await startShare({ readOnly: true });
  fs.writeFileSync(t.at('f'), 'x');
  assert.equal((await patch(t, 'append', 'y')).status, 403);
  assert.equal(content(t), 'x');
  const { headers } = await t.request('OPTIONS', '/');
  assert.doesNotMatch(String(headers.dav), /partial/);
  assert.equal(headers['accept-patch'], undefined);
});

test('parallel changes of one file do not interleave', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '');
  const writers = 12;
  const size = 300_000;
  const answers = await Promise.all(
    Array.from({ length: writers }, (_, at) =>
      patch(t, at % 2 === 0 ? 'append' : 'bytes=0-', Buffer.alloc(size, 65 + at)),
    ),
  );
  assert.ok(answers.every(({ status }) => status === 204));
  assert.equal(new Set(answers.map(({ headers }) => headers.etag)).size, writers);
  const all = fs.readFileSync(t.at('f'));
  assert.ok(all.length >= (writers / 2) * size, String(all.length));
  for (let at = 0; at < all.length; at += size) {
    const block = all.subarray(at, at + size);
    assert.ok(
      block.every((byte) => byte === block[0]),
      `block at ${at} is a mix`,
    );
  }
  // One version, one change.
  const { etag = '' } = (await t.request('HEAD', '/f')).headers;
  const race = await Promise.all(
    Array.from({ length: 8 }, () => patch(t, 'append', Buffer.alloc(size), { 'If-Match': etag })),
  );
  assert.equal(race.filter(({ status }) => status === 204).length, 1);
  assert.equal(fs.statSync(t.at('f')).size, all.length + size);
});

test('a reader that names a version never gets a mix of it and a change in place', async () => {
  const t = await startShare();
  const size = 2_000_000;
  fs.writeFileSync(t.at('f'), Buffer.alloc(size, 0));
  let stop = false;
  let changes = 0;
  const write = async (): Promise<void> => {
    for (let round = 1; !stop; round++) {
      const body = Buffer.alloc(size, round % 250);
      assert.equal((await patch(t, `bytes=0-${size - 1}`, body)).status, 204);
      changes++;
    }
  };
  const writing = write();
  let whole = 0;
  const deadline = performance.now() + 1500;
  while (performance.now() < deadline || whole === 0 || changes < 3) {
    const { etag = '' } = (await t.request('HEAD', '/f')).headers;
    const answer = await t
      .request('GET', '/f', { headers: { 'If-Match': etag } })
      .catch(() => undefined);
    if (answer?.status !== 200) continue;
    assert.equal(answer.headers.etag, etag);
    assert.ok(
      answer.body.every((byte) => byte === answer.body[0]),
      'a mix',
    );
    whole++;
  }
  stop = true;
  await writing;
});

test('each change in place has an ETag of its own, and COPY gets one version', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '0');
  const tags = new Set<string>();
  for (let round = 0; round < 100; round++) {
    const { etag = '' } = (await patch(t, 'bytes=0-0', String(round % 10))).headers;
    assert.ok(!tags.has(etag), `round ${round}`);
    tags.add(etag);
  }
  const size = 4_000_000;
  fs.writeFileSync(t.at('f'), Buffer.alloc(size, 1));
  const copies = Array.from({ length: 6 }, async (_, at) => {
    const change = patch(t, 'bytes=0-', Buffer.alloc(size, 2 + at));
    const copy = t.request('COPY', '/f', { headers: { Destination: `/copy${at}` } });
    assert.deepEqual([(await change).status, (await copy).status], [204, 201]);
    const copied = fs.readFileSync(t.at(`copy${at}`));
    assert.ok(
      copied.every((byte) => byte === copied[0]),
      'a mix',
    );
  });
  await Promise.all(copies);
});

test('set-user-ID does not survive a change in place', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'program');
  fs.chmodSync(t.at('f'), 0o6755);
  assert.equal((await patch(t, 'append', '!')).status, 204);
  assert.equal(fs.statSync(t.at('f')).mode & 0o7777, 0o755);
});

test('both names of a file see the change, and durable ones are synced', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'abc');
  fs.linkSync(t.at('f'), t.at('g'));
  assert.equal((await patch(t, 'append', 'd', { 'Davport-Sync': '1' })).status, 204);
  assert.equal((await putPart(t, 'bytes 0-0/*', 'A', { 'Davport-Sync': '1' })).status, 204);
  assert.equal(fs.readFileSync(t.at('g'), 'utf8'), 'Abcd');
  fs.rmSync(t.at('f'));
  assert.equal((await putPart(t, 'bytes 0-0/*', 'N', { 'Davport-Sync': '1' })).status, 201);
  assert.equal(content(t), 'N');
});

test('Content-Digest of a part is verified before anything changes', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'abc');
  const body = Buffer.alloc(200_000, 'x');
  const digest = (of: Buffer): string =>
    `sha-256=:${createHash('sha256').update(of).digest('base64')}:`;
  const right = { 'Content-Digest': digest(body) };
  const wrong = { 'Content-Digest': digest(body.subarray(1)) };
  assert.equal((await patch(t, 'append', body, wrong)).status, 400);
  assert.equal(content(t), 'abc');
  assert.equal((await patch(t, 'append', body, right)).status, 204);
  assert.equal(content(t).length, 200_003);
});

test('PROPFIND tells the ETags of whole versions alone, also during a change in place', async () => {
  const t = await startShare();
  const size = 4_000_000;
  fs.writeFileSync(t.at('f'), Buffer.alloc(size, 0));
  const versions = new Set([(await t.request('HEAD', '/f')).headers.etag]);
  const changed = new AbortController();
  const write = async (): Promise<void> => {
    for (let round = 1; round <= 15; round++) {
      const body = Buffer.alloc(size, round);
      versions.add((await patch(t, `bytes=0-${size - 1}`, body)).headers.etag);
    }
    changed.abort();
  };
  const writing = write();
  const told = new Set<string>();
  while (!changed.signal.aborted) {
    const { body } = await t.request('PROPFIND', '/f', { headers: { Depth: '0' } });
    told.add(/<[^>]*getetag[^>]*>([^<]*)</.exec(body.toString())![1]!.replaceAll('&quot;', '"'));
  }
  await writing;
  assert.ok(told.size > 0);
  assert.deepEqual(
    [...told].filter((etag) => !versions.has(etag)),
    [],
  );
});
