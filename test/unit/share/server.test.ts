/** The server as a whole: what it refuses, how long it waits, what it tells, how it ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { createShare, listenHttp, type RequestRecord } from '../../../src/share/share.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { readToEnd, startShare } from './fixture.js';

test('OPTIONS says what there is; unknown methods are refused', async () => {
  const t = await startShare();
  for (const target of ['/', '*', '/none'] as const) {
    const answer = await t.request('OPTIONS', target);
    assert.equal(answer.status, 200);
    const told = String(answer.headers.dav).split(', ');
    for (const token of ['1', '2', '3', '<urn:davport:posix>', 'bind', '<urn:davport:sync>']) {
      assert.ok(told.includes(token), token);
    }
    assert.match(String(answer.headers.server), /^davport\/\d/);
  }
  for (const method of ['POST', 'TRACE', 'MKACTIVITY']) {
    const answer = await t.request(method, '/');
    assert.equal(answer.status, 405);
    assert.match(answer.headers.allow ?? '', /PROPFIND/);
  }
});

test('read-only: every change is refused, and not advertised', async () => {
  const t = await startShare({ readOnly: true });
  fs.writeFileSync(t.at('f'), 'x');
  fs.writeFileSync(t.at('.davport-0123456789abcdef.part'), 'x');
  const changing = ['PUT', 'DELETE', 'MKCOL', 'COPY', 'MOVE', 'PROPPATCH', 'LOCK', 'UNLOCK'];
  for (const method of changing) {
    const answer = await t.request(method, '/f', { headers: { Destination: '/g' }, body: '' });
    assert.equal(answer.status, 403, method);
  }
  const options = await t.request('OPTIONS', '/');
  const allowed = String(options.headers.allow).split(', ');
  assert.ok(allowed.includes('PROPFIND') && !changing.some((method) => allowed.includes(method)));
  const told = String(options.headers.dav).split(', ');
  assert.ok(told.includes('1') && !told.includes('2') && !told.includes('<urn:davport:sync>'));
  assert.equal((await t.request('GET', '/f')).text, 'x');
  assert.equal(await t.share.swept, 0);
  assert.equal(fs.readdirSync(t.dir).length, 2);
});

test('what is no HTTP, too long or smuggled is answered and ended', async () => {
  const t = await startShare();
  const cases: [string, RegExp][] = [
    ['garbage\r\n\r\n', /^HTTP\/1.1 400 /],
    ['FROB / HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 501 /],
    ['FROB / HTTP/1.1 or so\r\n\r\n', /^HTTP\/1.1 400 /],
    ['GET / HTTP/9.9\r\n\r\n', /^HTTP\/1.1 400 /],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    [`GET /${'y'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, /^HTTP\/1.1 431 /],
    ['PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n', /^HTTP\/1.1 400 /],
    [
      'PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400 /,
    ],
    ['GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', /^HTTP\/1.1 200 /],
  ];
  for (const [bytes, expected] of cases) {
    const socket = await t.connect();
    socket.write(bytes);
    assert.match(await readToEnd(socket), expected, bytes.slice(0, 60));
  }
  assert.deepEqual(fs.readdirSync(t.dir), []);
});

test('a body that is not wanted does not spoil the connection', async () => {
  const t = await startShare();
  const socket = await t.connect();
  const body = 'x'.repeat(500_000);
  socket.write(`PUT /none/f HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  socket.write(`PROPFIND / HTTP/1.1\r\nHost: x\r\nDepth: 9\r\nContent-Length: 3\r\n\r\nabc`);
  socket.write('GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const text = await readToEnd(socket);
  assert.deepEqual(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]),
    ['409', '400', '404'],
  );
});

test('100-continue only when the body is wanted', async () => {
  const t = await startShare();
  const ask = async (target: string): Promise<string> => {
    const socket = await t.connect();
    socket.write(
      `PUT ${target} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    if (first.toString().startsWith('HTTP/1.1 100')) {
      socket.write('ok');
      const [second] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return `100 ${second.toString().slice(9, 12)}`;
    }
    socket.destroy();
    return first.toString().slice(9, 12);
  };
  assert.equal(await ask('/f'), '100 201');
  assert.equal(await ask('/none/f'), '409');
});

test('clients that send or take nothing are let go', async () => {
  const t = await startShare({ headTimeoutMs: 200, stallTimeoutMs: 200 });
  fs.writeFileSync(t.at('big'), Buffer.alloc(20_000_000));
  const beginnings = [
    '',
    'GET / HTTP/1.1\r\nHo',
    'PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc',
    'PUT /g HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc',
    'PROPFIND / HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nContent-Length: 10\r\n\r\n<',
    'GET /big HTTP/1.1\r\nHost: x\r\n\r\n',
  ];
  for (const bytes of beginnings) {
    const socket = await t.connect();
    socket.on('error', () => undefined);
    socket.write(bytes);
    await waitUntil('the connection', () => t.share.stats.connections > 0);
    await waitUntil(`the end of ${bytes.slice(0, 20)}`, () => t.share.stats.connections === 0);
    socket.destroy();
  }
  await waitUntil('the requests to end', () => t.share.stats.active === 0);
  assert.deepEqual(fs.readdirSync(t.dir), ['big']);
});

test('stats and records', async () => {
  const records: RequestRecord[] = [];
  const t = await startShare({ onRequest: (record) => records.push(record) });
  await t.request('PUT', '/f%20g', { body: 'abc', headers: { 'User-Agent': 'test' } });
  await t.request('GET', '/f%20g');
  await t.request('GET', '/none');
  await waitUntil('three records', () => records.length === 3);
  const told = records.map(({ method, target, status, bytesIn, bytesOut, userAgent }) => ({
    method,
    target,
    status,
    bytesIn,
    bytesOut,
    userAgent,
  }));
  assert.deepEqual(told[0], {
    method: 'PUT',
    target: '/f%20g',
    status: 201,
    bytesIn: 3,
    bytesOut: 0,
    userAgent: 'test',
  });
  assert.deepEqual(
    { ...told[1], userAgent: '' },
    { method: 'GET', target: '/f%20g', status: 200, bytesIn: 0, bytesOut: 3, userAgent: '' },
  );
  assert.equal(told[2]!.status, 404);
  const { requests, active, bytesIn, failures } = t.share.stats;
  assert.deepEqual(
    { requests, active, bytesIn, failures },
    { requests: 3, active: 0, bytesIn: 3, failures: 0 },
  );
});

test('close ends what is going on, and leaves nothing open', async () => {
  const t = await startShare();
  const before = fs.readdirSync('/proc/self/fd').length;
  fs.writeFileSync(t.at('big'), Buffer.alloc(50_000_000));
  const upload = await t.connect();
  upload.on('error', () => undefined);
  upload.write('PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n');
  upload.write(Buffer.alloc(1_000_000));
  const download = await t.connect();
  download.on('error', () => undefined);
  download.write('GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
  await waitUntil('both', () => t.share.stats.active === 2 && fs.readdirSync(t.dir).length === 2);
  await t.close();
  upload.destroy();
  download.destroy();
  assert.deepEqual(fs.readdirSync(t.dir), ['big']);
  // The root, the listener and whatever the two connections had.
  await waitUntil('all descriptors closed', () => fs.readdirSync('/proc/self/fd').length < before);
  const [late] = duplexPair();
  t.share.attach(late);
  assert.ok(late.destroyed);
});

test('requests leave no descriptor open', async () => {
  const t = await startShare();
  await t.request('MKCOL', '/a');
  await t.request('PUT', '/a/f', { body: 'x' });
  const count = (): number => fs.readdirSync('/proc/self/fd').length;
  const round = async (): Promise<void> => {
    for (const method of [
      'GET',
      'HEAD',
      'PROPFIND',
      'PUT',
      'MKCOL',
      'COPY',
      'MOVE',
      'PROPPATCH',
      'DELETE',
    ]) {
      for (const target of ['/a/f', '/a', '/a/none', '/none/x', '/a/f/x', '/']) {
        const headers = { Depth: '1', Destination: '/b' };
        await t.request(method, target, method === 'PUT' ? { headers, body: 'y' } : { headers });
        fs.mkdirSync(t.at('a'), { recursive: true });
      }
    }
  };
  await round();
  const before = count();
  for (let times = 0; times < 3; times++) await round();
  assert.equal(count(), before);
});

test('TCP, and errors of listening', async () => {
  const dir = makeTempDir();
  const share = await createShare({ root: dir });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  assert.match(listener.address, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get(listener.address, resolve).on('error', reject);
  });
  assert.equal(answer.statusCode, 200);
  answer.resume();
  await assert.rejects(
    listenHttp(share, { host: '127.0.0.1', port: listener.port! }),
    /EADDRINUSE/,
  );
  await listener.close();
  await share.close();
  await assert.rejects(createShare({ root: path.join(dir, 'none') }), /ENOENT/);
  await assert.rejects(createShare({ root: '' }), /folder/);
});
