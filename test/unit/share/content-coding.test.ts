import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { chooseCoding, CODINGS, Encoder, type Coding } from '../../../src/share/content-coding.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';
import { readToEnd, startShare, type Answer, type TestShare } from './fixture.js';

const get = (t: TestShare, target: string, headers: Record<string, string>): Promise<Answer> =>
  t.request('GET', target, { headers });

const DECODE: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: (body) => zlib.gunzipSync(body),
  br: (body) => zlib.brotliDecompressSync(body),
  zstd: (body) =>
    (zlib as unknown as { zstdDecompressSync(body: Buffer): Buffer }).zstdDecompressSync(body),
};

test('Accept-Encoding: the coding that is liked best', () => {
  const coding = (name: string): Coding => ({ ...CODINGS[0]!, name });
  const all = ['zstd', 'br', 'gzip'].map(coding);
  for (const [header, expected] of [
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP;q=1.0', 'gzip'],
    ['deflate, gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['br;q=0, *', 'zstd'],
    ['*', 'zstd'],
    ['*;q=0', undefined],
    ['gzip;q=0', undefined],
    ['gzip;q=0.001', 'gzip'],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['gzip;q=x', undefined],
    ['gzip;level=9', undefined],
    [`${'a,'.repeat(9000)}gzip`, 'gzip'],
  ] as const) {
    assert.equal(chooseCoding(header, all)?.name, expected, String(header).slice(0, 40));
  }
  // As the runtime has it: gzip and br always, zstd since 22.15.
  assert.deepEqual(
    CODINGS.map(({ name }) => name),
    'createZstdCompress' in zlib ? ['zstd', 'br', 'gzip'] : ['br', 'gzip'],
  );
});

test('text is coded for who asks, whole and of all sizes', async () => {
  const t = await startShare();
  for (const size of [1023, 1024, 65_537, 2_000_000]) {
    const content = Buffer.from('All work and no play. '.repeat(size / 20)).subarray(0, size);
    fs.writeFileSync(t.at('f.txt'), content);
    const plain = await t.request('GET', '/f.txt');
    assert.deepEqual(
      [plain.headers['content-encoding'], plain.headers.vary],
      [undefined, 'Accept-Encoding'],
    );
    for (const { name } of CODINGS) {
      const headers = { 'Accept-Encoding': name };
      const answer = await get(t, '/f.txt', headers);
      const head = await t.request('HEAD', '/f.txt', { headers });
      assert.equal(answer.headers.vary, 'Accept-Encoding');
      for (const field of ['content-encoding', 'etag', 'vary', 'content-type', 'last-modified']) {
        assert.equal(head.headers[field], answer.headers[field], field);
      }
      if (size < 1024) {
        assert.equal(answer.headers['content-encoding'], undefined);
        continue;
      }
      assert.equal(answer.headers['content-encoding'], name);
      assert.equal(head.headers['content-length'], undefined);
      assert.ok(answer.body.length < size / 4);
      assert.ok(DECODE[name]!(answer.body).equals(content), `${name}, ${size} bytes`);
      // Other bytes, another validator: a weak one, good for a cache and for nothing that must be exact.
      assert.equal(answer.headers.etag, `W/${plain.headers.etag}`);
      const etag = answer.headers.etag ?? '';
      const again = await get(t, '/f.txt', { ...headers, 'If-None-Match': etag });
      assert.deepEqual([again.status, again.headers.etag], [304, etag]);
      const range = { ...headers, Range: 'bytes=0-9' };
      const resumed = await get(t, '/f.txt', { ...range, 'If-Range': etag });
      assert.deepEqual([resumed.status, resumed.headers['content-encoding']], [200, undefined]);
      const part = await get(t, '/f.txt', range);
      assert.deepEqual([part.status, part.text], [206, content.toString('utf8', 0, 10)]);
      assert.equal(part.headers['content-encoding'], undefined);
    }
  }
});

test('what is not text, or for HTTP/1.0, goes as it is', async () => {
  const t = await startShare();
  const headers = { 'Accept-Encoding': 'gzip' };
  for (const name of ['f.jpg', 'f', 'f.zip']) {
    fs.writeFileSync(t.at(name), Buffer.alloc(5000));
    const answer = await get(t, `/${name}`, headers);
    assert.deepEqual([answer.headers['content-encoding'], answer.body.length], [undefined, 5000]);
    assert.equal(answer.headers.vary, undefined);
  }
  fs.writeFileSync(t.at('f.svg'), Buffer.alloc(5000, ' '));
  assert.equal((await get(t, '/f.svg', headers)).headers['content-encoding'], 'gzip');
  const socket = await t.connect();
  socket.write('GET /f.svg HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n');
  const text = await readToEnd(socket);
  assert.match(text, /\r\ncontent-length: 5000\r\n/i);
});

test('listings are coded for who asks, in one piece and in many', async () => {
  const t = await startShare();
  for (let at = 0; at < 3000; at++) fs.writeFileSync(t.at(`file-${at}`), '');
  fs.mkdirSync(t.at('few'));
  const body = '<propfind xmlns="DAV:"><prop><getcontentlength/></prop></propfind>';
  const find = (target: string, depth: string, headers = {}): Promise<Answer> =>
    t.request('PROPFIND', target, { headers: { Depth: depth, ...headers }, body });
  const plain = await find('/', '1');
  const page = await t.request('GET', '/');
  for (const { name } of CODINGS) {
    const headers = { 'Accept-Encoding': name };
    const coded = await find('/', '1', headers);
    assert.deepEqual([coded.status, coded.headers['content-encoding']], [207, name]);
    assert.ok(coded.body.length < plain.body.length / 4);
    assert.ok(DECODE[name]!(coded.body).equals(plain.body));
    const short = await find('/few/', '0', headers);
    assert.deepEqual([short.status, short.headers['content-encoding']], [207, undefined]);
    const html = await get(t, '/', headers);
    assert.equal(html.headers['content-encoding'], name);
    assert.equal(html.headers.vary, 'Accept-Encoding');
    assert.ok(DECODE[name]!(html.body).equals(page.body));
  }
  assert.equal(plain.headers['content-encoding'], undefined);
});

test('what is coded arrives when it is made', async () => {
  for (const coding of CODINGS) {
    const encoder = new Encoder(coding);
    const pieces = ['one', 'two', 'x'.repeat(300_000)].map((text) => Buffer.from(text));
    const coded: Buffer[] = [];
    for (const piece of pieces) {
      coded.push(await encoder.encode(piece));
      assert.ok(coded.at(-1)!.length > 0, coding.name);
    }
    coded.push(await encoder.finish());
    const whole = DECODE[coding.name]!(Buffer.concat(coded));
    assert.ok(whole.equals(Buffer.concat(pieces)), coding.name);
    encoder.close();
    assert.equal((await encoder.encode(Buffer.from('late'))).length, 0);
    assert.equal((await encoder.finish()).length, 0);
  }
});

test('a client that goes in the middle of a coded body is the end of it', async () => {
  const t = await startShare();
  fs.writeFileSync(
    t.at('f.txt'),
    new SeededRandom(2).bytes(15_000_000).toString('hex').slice(0, 15e6),
  );
  const socket = await t.connect();
  socket.write('GET /f.txt HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br\r\n\r\n');
  await new Promise((resolve) => socket.once('readable', resolve));
  assert.equal(t.share.stats.active, 1);
  socket.destroy();
  await waitUntil('the request to end', () => t.share.stats.active === 0);
  assert.equal((await get(t, '/f.txt', { Range: 'bytes=0-0' })).status, 206);
});

test('a body with a coding is refused, as is an unknown expectation', async () => {
  const t = await startShare();
  const coded = await t.request('PUT', '/f', {
    headers: { 'Content-Encoding': 'gzip' },
    body: 'x',
  });
  assert.deepEqual([coded.status, coded.headers['accept-encoding']], [415, 'identity']);
  const plain = { 'Content-Encoding': 'identity' };
  assert.equal((await t.request('PUT', '/g', { headers: plain, body: 'x' })).status, 201);
  for (const expect of ['a-miracle', '100-continue, more', '']) {
    const socket = await t.connect();
    const head = `PUT /f HTTP/1.1\r\nHost: x\r\nExpect: ${expect}\r\nContent-Length: 1`;
    socket.write(`${head}\r\nConnection: close\r\n\r\n`);
    assert.match(await readToEnd(socket), /^HTTP\/1.1 417 /, expect);
  }
  assert.equal(t.share.stats.requests, 5);
  assert.deepEqual(fs.readdirSync(t.dir), ['g']);
});
