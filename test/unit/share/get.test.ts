import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { ifRangeHolds } from '../../../src/share/conditional.js';
import { waitUntil } from '../../support/wait-until.js';
import { startShare } from './fixture.js';

test('whole files, ranges and HEAD', async () => {
  const t = await startShare();
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
  fs.writeFileSync(t.at('big.bin'), content);
  fs.writeFileSync(t.at('empty.txt'), '');
  const whole = await t.request('GET', '/big.bin');
  assert.equal(whole.status, 200);
  assert.ok(whole.body.equals(content));
  assert.equal(whole.headers['accept-ranges'], 'bytes');
  const { etag } = whole.headers;
  const head = await t.request('HEAD', '/big.bin');
  assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '300000', '']);
  assert.equal(head.headers.etag, etag);
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=100-70099', 100, 70_100],
    ['bytes=-5', 299_995, 300_000],
    ['bytes=299999-400000', 299_999, 300_000],
  ] as const) {
    const part = await t.request('GET', '/big.bin', { headers: { Range: range } });
    assert.equal(part.status, 206, range);
    assert.equal(part.headers['content-range'], `bytes ${start}-${end - 1}/300000`);
    assert.ok(part.body.equals(content.subarray(start, end)), range);
  }
  const beyond = await t.request('GET', '/big.bin', { headers: { Range: 'bytes=300000-' } });
  assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, 'bytes */300000']);
  const headWithRange = await t.request('HEAD', '/big.bin', { headers: { Range: 'bytes=0-1' } });
  assert.deepEqual(
    [headWithRange.status, headWithRange.headers['content-length']],
    [200, '300000'],
  );
  const empty = await t.request('GET', '/empty.txt');
  assert.deepEqual([empty.status, empty.headers['content-length']], [200, '0']);
  assert.equal((await t.request('GET', '/none')).status, 404);
  assert.equal((await t.request('GET', '/big.bin/x')).status, 404);
});

test('If-Range: the range only of the version that is meant', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '0123456789');
  const { etag = '', 'last-modified': date = '' } = (await t.request('GET', '/f')).headers;
  const ask = async (ifRange: string): Promise<number> =>
    (await t.request('GET', '/f', { headers: { Range: 'bytes=1-2', 'If-Range': ifRange } })).status;
  assert.equal(await ask(etag), 206);
  assert.equal(await ask('"other"'), 200);
  assert.equal(await ask(`W/${etag}`), 200);
  await waitUntil('the second of the change to be over', async () => (await ask(date)) === 206);
  assert.equal(await ask('Sun, 06 Nov 1994 08:49:37 GMT'), 200);
});

test('If-Range with a date: only when nothing can have changed in the same second', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'x');
  const stat = fs.statSync(t.at('f'), { bigint: true });
  const changed = Number(stat.ctimeNs / 1_000_000n);
  const { 'last-modified': date } = (await t.request('HEAD', '/f')).headers;
  assert.equal(ifRangeHolds(date, stat, changed), false);
  assert.equal(ifRangeHolds(date, stat, changed + 999), false);
  assert.equal(ifRangeHolds(date, stat, changed + 1000), true);
  assert.equal(ifRangeHolds('nonsense', stat, changed + 1000), false);
});

test('conditional requests', async () => {
  const t = await startShare();
  const past = 'Sun, 06 Nov 1994 08:49:37 GMT';
  // ETAG and DATE stand for those of the version that is there.
  const cases: [Record<string, string>, number, number][] = [
    [{ 'If-Match': 'ETAG' }, 200, 204],
    [{ 'If-Match': '"x", ETAG' }, 200, 204],
    [{ 'If-Match': '"x"' }, 412, 412],
    [{ 'If-Match': 'W/ETAG' }, 412, 412],
    [{ 'If-Match': '*' }, 200, 204],
    [{ 'If-None-Match': 'ETAG' }, 304, 412],
    [{ 'If-None-Match': 'W/ETAG' }, 304, 412],
    [{ 'If-None-Match': '*' }, 304, 412],
    [{ 'If-None-Match': '"x"' }, 200, 204],
    [{ 'If-Modified-Since': 'DATE' }, 304, 204],
    [{ 'If-Modified-Since': past }, 200, 204],
    [{ 'If-Modified-Since': 'nonsense' }, 200, 204],
    [{ 'If-Unmodified-Since': 'DATE' }, 200, 204],
    [{ 'If-Unmodified-Since': past }, 412, 412],
    [{ 'If-None-Match': '"x"', 'If-Modified-Since': 'DATE' }, 200, 204],
    [{ If: '([ETAG])' }, 200, 204],
    [{ If: '(["x"])' }, 412, 412],
    [{ If: '(Not ["x"])' }, 200, 204],
    [{ If: '</none> (["x"])' }, 412, 412],
    [{ If: '<http://elsewhere/f> (Not ["x"])' }, 200, 204],
    [{ If: '(<urn:uuid:1>)' }, 412, 412],
    [{ If: 'nonsense' }, 400, 400],
  ];
  for (const [given, get, put] of cases) {
    fs.writeFileSync(t.at('f'), 'x');
    const { etag = '', 'last-modified': date = '' } = (await t.request('HEAD', '/f')).headers;
    const headers = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [
        name,
        value.replace('ETAG', etag).replace('DATE', date),
      ]),
    );
    const name = JSON.stringify(given);
    assert.equal((await t.request('GET', '/f', { headers })).status, get, `GET ${name}`);
    const answer = await t.request('PUT', '/f', { headers, body: 'x' });
    assert.equal(answer.status, put, `PUT ${name}`);
  }
  const missing: [Record<string, string>, number][] = [
    [{ 'If-Match': '*' }, 412],
    [{ 'If-None-Match': '*' }, 201],
    [{ If: '(["x"])' }, 412],
    [{ If: '(Not ["x"])' }, 201],
  ];
  for (const [headers, status] of missing) {
    assert.equal((await t.request('PUT', '/new', { headers, body: '' })).status, status);
    fs.rmSync(t.at('new'), { force: true });
  }
});

test('a file that changes while it is sent: never a mix for who named a version', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), Buffer.alloc(8_000_000, 1));
  const { etag = '' } = (await t.request('HEAD', '/f')).headers;
  for (const [header, mixed] of [
    [`If-Match: ${etag}`, false],
    ['X: y', true],
  ] as const) {
    const socket = await t.connect();
    socket.write(`GET /f HTTP/1.1\r\nHost: x\r\n${header}\r\nConnection: close\r\n\r\n`);
    await new Promise((resolve) => socket.once('readable', resolve));
    const fd = fs.openSync(t.at('f'), 'r+');
    fs.writeSync(fd, 'changed', 7_999_000);
    fs.closeSync(fd);
    let size = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => (size += chunk.length));
    await new Promise((resolve) => socket.once('close', resolve));
    assert.equal(size > 8_000_000, mixed, header);
    assert.equal((await t.request('GET', '/f')).status, 200);
  }
});

test('a file that shrinks while it is sent breaks the connection off', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), Buffer.alloc(8_000_000, 1));
  const socket = await t.connect();
  socket.write('GET /f HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('readable', resolve));
  fs.truncateSync(t.at('f'), 10);
  let size = 0;
  socket.on('data', (chunk: Buffer) => (size += chunk.length));
  await new Promise((resolve) => socket.once('close', resolve));
  assert.ok(size < 8_000_000);
});

test('FIFOs and sockets are listed as special, and never opened', async () => {
  const t = await startShare();
  execFileSync('mkfifo', [t.at('pipe')]);
  for (const method of ['GET', 'HEAD', 'PUT', 'PROPPATCH']) {
    const answer = await t.request(method, '/pipe');
    assert.ok([400, 403].includes(answer.status), `${method} ${answer.status}`);
  }
  const copy = await t.request('COPY', '/pipe', { headers: { Destination: '/copy' } });
  assert.equal(copy.status, 403);
  const list = await t.request('PROPFIND', '/', { headers: { Depth: '1' } });
  assert.match(list.text, /<D:href>\/pipe<\/D:href>/);
  assert.match(list.text, /inode\/fifo/);
  assert.equal((await t.request('MOVE', '/pipe', { headers: { Destination: '/p2' } })).status, 201);
  assert.equal((await t.request('DELETE', '/p2')).status, 204);
});

test('a collection for a browser: escaped', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('<script>'));
  fs.writeFileSync(t.at('<script>', '"&\'.txt'), 'x');
  const page = await t.request('GET', '/%3Cscript%3E/');
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'] ?? '', /^text\/html/);
  assert.doesNotMatch(page.text, /<script>/);
  assert.match(page.text, /href="\/%3Cscript%3E\/%22%26'\.txt"/);
  assert.equal((await t.request('HEAD', '/%3Cscript%3E/')).text, '');
});
