/** Clients that are slow, greedy or mean: a precise answer within bounds, or the end of their connection. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createAcceptorMux, createOpenerMux } from '../../src/mux/mux.js';
import { createMemoryChannelPair } from '../support/memory-channel.js';
import { waitUntil } from '../support/wait-until.js';
import { readToEnd, startShare, type TestShare } from '../unit/share/fixture.js';

const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]!);

test('pipelined requests are done in their order, each when the one before is answered', async () => {
  const t = await startShare();
  const socket = await t.connect();
  const body = 'n'.repeat(300_000);
  const requests = [
    `PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    'MOVE /f HTTP/1.1\r\nHost: x\r\nDestination: /g\r\n\r\n',
    'COPY /g HTTP/1.1\r\nHost: x\r\nDestination: /h\r\n\r\n',
    'DELETE /g HTTP/1.1\r\nHost: x\r\n\r\n',
    'HEAD /g HTTP/1.1\r\nHost: x\r\n\r\n',
    'MKCOL /h HTTP/1.1\r\nHost: x\r\n\r\n',
    'PROPFIND /h HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nConnection: close\r\n\r\n',
  ];
  socket.write(requests.join(''));
  assert.deepEqual(statuses(await readToEnd(socket)).slice(0, 7), [
    '201',
    '201',
    '201',
    '204',
    '404',
    '405',
    '207',
  ]);
  assert.deepEqual(fs.readdirSync(t.dir), ['h']);
});

test('thousands of pipelined requests end the connection, not the server', async () => {
  const t = await startShare();
  const socket = await t.connect();
  socket.on('error', () => undefined);
  socket.write(
    'PROPFIND / HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nContent-Length: 0\r\n\r\n'.repeat(20_000),
  );
  await readToEnd(socket);
  await waitUntil('the end', () => t.share.stats.active + t.share.stats.connections === 0);
  assert.ok(t.share.stats.requests < 20_000);
  assert.equal((await t.request('OPTIONS', '/')).status, 200);
});

test('what is no HTTP after a good request is refused when that is answered, and not before', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('big'), Buffer.alloc(3_000_000, 'b'));
  const socket = await t.connect();
  socket.write('GET /big HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n');
  const text = await readToEnd(socket);
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  assert.ok(body.startsWith('b'.repeat(3_000_000)));
  assert.match(body.slice(3_000_000), /^HTTP\/1\.1 400 /);
});

test('a body that breaks the rules of chunks', async () => {
  const t = await startShare();
  const socket = await t.connect();
  socket.write(
    'PUT /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n',
  );
  assert.deepEqual(statuses(await readToEnd(socket)), ['400']);
  await waitUntil('the end', () => t.share.stats.active === 0);
  assert.deepEqual(fs.readdirSync(t.dir), []);
});

test('no field is dropped, however many there are', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'old');
  const socket = await t.connect();
  const many = Array.from({ length: 3000 }, (_, at) => `a${at % 10}:\r\n`).join('');
  socket.write(
    `PUT /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n${many}If-Match: "no"\r\n\r\nnew`,
  );
  assert.deepEqual(statuses(await readToEnd(socket)), ['412']);
  assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'old');
});

test('trailers without end are refused', async () => {
  const t = await startShare();
  const socket = await t.connect();
  socket.on('error', () => undefined);
  socket.write('PUT /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n');
  const ended = readToEnd(socket);
  const pour = setInterval(() => socket.write(`t: ${'x'.repeat(1000)}\r\n`), 1);
  await ended;
  clearInterval(pour);
  await waitUntil('the end', () => t.share.stats.active === 0);
  assert.deepEqual(fs.readdirSync(t.dir), []);
});

type Connect = (t: TestShare) => Promise<Duplex>;
const CARRIERS: Readonly<Record<string, Connect>> = {
  socket: (t) => t.connect(),
  'stream of the multiplexer': async (t) => {
    const { guest, host } = createMemoryChannelPair();
    const acceptor = createAcceptorMux(host, { onStream: (stream) => t.share.attach(stream) });
    const opener = createOpenerMux(guest);
    await waitUntil('the session', () => opener.connected && acceptor.connected);
    const stream = opener.openStream();
    stream.once('close', () => void Promise.all([opener.close(), acceptor.close()]));
    return stream;
  },
};

for (const [carrier, connect] of Object.entries(CARRIERS)) {
  test(`a byte now and then keeps no ${carrier}: in the head, in a body, in a response`, async () => {
    const t = await startShare({ headTimeoutMs: 400, stallTimeoutMs: 400 });
    fs.writeFileSync(t.at('big'), Buffer.alloc(60_000_000));
    const xml = 'PROPFIND / HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nContent-Length: 5000\r\n\r\n';
    const put = 'PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n';
    for (const beginning of ['GET / HTTP/1.1\r\nX-Slow: ', put, xml]) {
      const stream = await connect(t);
      stream.on('error', () => undefined);
      stream.resume();
      stream.write(beginning);
      // Each byte comes long before its time has run out.
      const drip = setInterval(() => stream.write('x'), 50);
      await waitUntil('the connection', () => t.share.stats.connections === 1, 10_000, 5);
      await waitUntil(`the end of ${beginning.slice(0, 8)}`, () => t.share.stats.connections === 0);
      clearInterval(drip);
      stream.destroy();
    }
    const reader = await connect(t);
    reader.on('error', () => undefined);
    reader.write('GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitUntil('the response', () => t.share.stats.active === 1);
    await waitUntil(
      'the end of a client that reads nothing',
      () => t.share.stats.connections === 0,
    );
    reader.destroy();
    await waitUntil('all ends', () => t.share.stats.active === 0);
    assert.deepEqual(fs.readdirSync(t.dir), ['big']);
  });
}

test('a client that is slow but not idle is served', async () => {
  // Client and share are one process: a pause of both must not be as long.
  const limitMs = 5000;
  const t = await startShare({ headTimeoutMs: limitMs, stallTimeoutMs: limitMs });
  const socket = await t.connect();
  const reply = readToEnd(socket);
  const started = performance.now();
  const length = 60 * 20_000;
  socket.write(
    `PUT /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`,
  );
  for (let sent = 0; sent < length; sent += 20_000) {
    socket.write(Buffer.alloc(20_000));
    await delay(100);
  }
  assert.deepEqual(statuses(await reply), ['201']);
  assert.ok(performance.now() - started > limitMs);
});

test('a pause of the share itself does not count against its clients', async () => {
  const t = await startShare({ headTimeoutMs: 1500, stallTimeoutMs: 1500 });
  const [socket, idle] = [await t.connect(), await t.connect()];
  const reply = readToEnd(socket);
  socket.write('PUT /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\nabc');
  idle.write('GET /f HTTP/1.1\r\n');
  await waitUntil('the PUT', () => t.share.stats.active === 1);
  // Nothing of this process runs.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);
  await delay(100);
  socket.write('def');
  assert.deepEqual(statuses(await reply), ['201']);
  assert.equal(idle.destroyed, false);
  await once(idle, 'close');
});

test('connections beyond the bound: an idle one makes room, else 503', async () => {
  const t = await startShare({ maxConnections: 3 });
  const busy: net.Socket[] = [];
  for (let count = 0; count < 2; count++) {
    const socket = await t.connect();
    socket.write('PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n');
    busy.push(socket);
  }
  await waitUntil('both', () => t.share.stats.active === 2);
  const idle = await t.connect();
  const idleEnds = readToEnd(idle);
  await waitUntil('three', () => t.share.stats.connections === 3);
  const late = await t.connect();
  assert.match(await readToEnd(late), /^HTTP\/1\.1 503 .*Connection: close/s);
  // After a second the idle one is let go.
  await waitUntil('room', async () => {
    const socket = await t.connect();
    socket.write('OPTIONS / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    return statuses(await readToEnd(socket))[0] === '200';
  });
  await idleEnds;
  assert.equal(t.share.stats.active, 2);
  for (const socket of busy) socket.destroy();
});

test('who is refused while sending gets the answer, not a reset, and no more than a moment', async () => {
  const t = await startShare();
  const socket = net.connect({ path: t.socketPath, allowHalfOpen: true });
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.write('what is no HTTP\r\n\r\n');
  await once(socket, 'end');
  assert.match(answer, /^HTTP\/1\.1 400 /);
  for (let count = 0; count < 10; count++) {
    socket.write('x'.repeat(10_000));
    await delay(10);
  }
  assert.deepEqual(errors, []);
  await waitUntil('its end', () => {
    socket.write('x');
    return socket.destroyed;
  });
  await t.close();
});
