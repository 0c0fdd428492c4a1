import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { MuxStream } from '../../../src/mux/types.js';
import { MuxError, StreamResetError } from '../../../src/mux/types.js';
import { settle } from '../../support/raw-peer.js';
import { acceptorAndPeer } from './acceptor-and-peer.js';

function echo(stream: MuxStream): void {
  stream.on('data', (chunk: Buffer) => stream.write(chunk));
}

function servePaths(t: TestContext) {
  const aborted: string[] = [];
  const server = createServer((request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) aborted.push(request.url!);
    });
    if (request.url === '/big') {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(100_000)));
      };
      response.on('drain', more);
      more();
    } else {
      request.resume().on('end', () => response.end(request.url));
    }
  });
  // node:http itself destroys the connection right after the write, which sends nothing of it over a mux.
  server.on('clientError', (_error, stream) => stream.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  t.after(() => server.close());
  return { server, aborted };
}

test('takes any id: negative, 0, in steps, and again at once after its end', async (t) => {
  const { peer, streams } = await acceptorAndPeer(t, echo);
  const ids = [-128n, -256n, 0n, 1n, 0x7fff_ffff_ffff_ffffn, -(2n ** 63n), 0xffff_ff80n];
  for (const id of ids) peer.send(id, `to ${id}`);
  await peer.until(() => ids.every((id) => peer.payload(id) === `to ${id}`));
  assert.deepEqual(
    streams.map((stream) => stream.clientId),
    ids,
  );
  peer.end(-128n);
  peer.send(-128n, ' again');
  await peer.until(() => peer.payload(-128n) === 'to -128 again');
  assert.equal(streams.length, ids.length + 1);
});

test('an end for an unknown id is ignored', async (t) => {
  const { mux, peer, streams } = await acceptorAndPeer(t, echo);
  peer.end(5n);
  peer.end(-5n);
  await settle();
  assert.equal(streams.length, 0);
  assert.equal(mux.stats.openStreams, 0);
  assert.deepEqual(peer.frames, []);
});

test('end() sends what was written and one end; the stream closes', async (t) => {
  const { mux, peer, streams } = await acceptorAndPeer(t, (stream) => {
    stream.end(Buffer.alloc(200_000, 'a'));
  });
  peer.send(9n, 'GET');
  await peer.until(() => peer.ends(9n) === 1);
  assert.equal(peer.payload(9n).length, 200_000);
  if (!streams[0]!.closed) await once(streams[0]!, 'close');
  await settle();
  assert.equal(peer.ends(9n), 1);
  assert.equal(mux.stats.openStreams, 0);
});

test("the opener's end: what came before is delivered, then the end; nothing more is sent", async (t) => {
  const read: string[] = [];
  const { peer, streams } = await acceptorAndPeer(t, (stream) => {
    void buffer(stream).then((bytes) => read.push(bytes.toString()));
  });
  peer.send(3n, 'a whole ');
  peer.send(3n, 'request');
  peer.end(3n);
  await peer.until(() => read.length === 1);
  assert.deepEqual(read, ['a whole request']);
  const [stream] = streams;
  const failed = await new Promise((resolve) => stream!.write('too late', resolve));
  assert.ok(failed instanceof Error);
  await settle();
  assert.deepEqual(peer.frames, []);
});

test('an answer that the opener cancels stops: node:http notices, the queue is dropped', async (t) => {
  const { server, aborted } = servePaths(t);
  const { mux, peer } = await acceptorAndPeer(t, (stream) => server.emit('connection', stream));
  peer.send(1n << 40n, 'GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
  await peer.until(() => peer.payload(1n << 40n).length > 1_000_000);
  peer.end(1n << 40n);
  await peer.until(() => aborted.length === 1 && mux.stats.openStreams === 0);
  const { framesOut } = mux.stats;
  await settle();
  assert.equal(mux.stats.framesOut, framesOut);
});

test('garbage is answered by node:http and hurts nobody else', async (t) => {
  const { server } = servePaths(t);
  const { mux, peer } = await acceptorAndPeer(t, (stream) => server.emit('connection', stream));
  peer.send(-1n, Buffer.alloc(500, 0x80));
  peer.send(-2n, 'GET /fine HTTP/1.1\r\nHost: x\r\n\r\n');
  await peer.until(() => peer.payload(-2n).endsWith('/fine'));
  await peer.until(() => peer.ends(-1n) === 1);
  assert.match(peer.payload(-1n), /^HTTP\/1\.1 400 /);
  await peer.until(() => mux.stats.openStreams === 1);
});

test('streams over the limit are ended at once', async (t) => {
  const { peer, streams } = await acceptorAndPeer(t, echo, { maxStreams: 3 });
  for (let id = 1n; id <= 5n; id++) peer.send(id, 'hello');
  await peer.until(() => peer.ends(4n) === 1 && peer.ends(5n) === 1);
  assert.equal(streams.length, 3);
  assert.equal(peer.ends(1n), 0);
  streams[0]!.destroy();
  await peer.until(() => peer.ends(1n) === 1);
  peer.send(6n, 'now');
  await peer.until(() => peer.payload(6n) === 'now');
});

test('a stream that was idle for long makes room when there is none', async (t) => {
  const { peer, streams } = await acceptorAndPeer(t, echo, { maxStreams: 2, evictAfterMs: 50 });
  peer.send(1n, 'forgotten');
  peer.send(2n, 'busy');
  await peer.until(() => peer.payload(2n) === 'busy');
  await new Promise((resolve) => setTimeout(resolve, 60));
  peer.send(2n, ' still');
  await peer.until(() => peer.payload(2n) === 'busy still');
  peer.send(3n, 'new');
  await peer.until(() => peer.payload(3n) === 'new' && peer.ends(1n) === 1);
  assert.deepEqual(
    streams.map((stream) => stream.destroyed),
    [true, false, false],
  );
});

test('the tail of a request that was ended here is no new request, where ids are never used twice', async (t) => {
  const counted = 0x5000_0001_0000_0001n;
  const { peer, streams } = await acceptorAndPeer(t, (stream) => {
    stream.once('data', () => stream.end('HTTP/1.1 413 no\r\n\r\n'));
  });
  peer.send(counted, 'PUT /file');
  await peer.until(() => peer.ends(counted) === 1);
  peer.send(counted, 'DELETE / HTTP/1.1\r\n\r\n');
  // An id of spice-webdavd is a new connection at once.
  peer.send(-128n, 'PUT /file');
  await peer.until(() => peer.ends(-128n) === 1);
  peer.send(-128n, 'GET /other');
  await peer.until(() => peer.ends(-128n) === 2);
  assert.equal(streams.filter((stream) => stream.clientId === counted).length, 1);
  assert.equal(streams.filter((stream) => stream.clientId === -128n).length, 2);
});

test('a slow consumer holds up the channel, and all of it arrives', async (t) => {
  const { peer, streams, host } = await acceptorAndPeer(t, () => undefined, {
    maxUnreadBytes: 500_000,
  });
  const piece = Buffer.alloc(60_000, 'p');
  for (let i = 0; i < 100; i++) peer.send(7n, piece);
  await peer.until(() => streams.length === 1);
  await settle(100);
  assert.ok(host.pendingBytes > 4_000_000, `${host.pendingBytes} bytes wait in the channel`);
  let received = 0;
  streams[0]!.on('data', (chunk: Buffer) => (received += chunk.length));
  await peer.until(() => received === 6_000_000);
});

test('a stream that nobody reads is reset after a while, and the others go on', async (t) => {
  const { peer, streams } = await acceptorAndPeer(
    t,
    (stream) => {
      if (stream.clientId === 2n) echo(stream);
    },
    { maxUnreadBytes: 100_000, stallTimeoutMs: 50 },
  );
  const idle = 0x5000_0001_0000_0001n;
  for (let i = 0; i < 10; i++) peer.send(idle, Buffer.alloc(60_000));
  peer.send(2n, 'me too');
  await peer.until(() => peer.payload(2n) === 'me too');
  assert.ok(streams[0]!.errored instanceof StreamResetError);
  assert.equal(peer.ends(idle), 1);
});

test('a callback that throws costs one stream', async (t) => {
  const { peer } = await acceptorAndPeer(t, (stream) => {
    if (stream.clientId === 1n) throw new Error('no');
    echo(stream);
  });
  peer.send(1n, 'x');
  peer.send(2n, 'y');
  await peer.until(() => peer.payload(2n) === 'y' && peer.ends(1n) === 1);
});

test('any bytes at all: never a crash, never a hang', async (t) => {
  const { server } = servePaths(t);
  const { mux, peer, host } = await acceptorAndPeer(t, (stream) =>
    server.emit('connection', stream),
  );
  for (let i = 0; i < 200; i++) {
    host.inject(Buffer.from(Array.from({ length: 997 }, (_, at) => (at * 7919 + i * 31) & 0xff)));
  }
  await settle(100);
  assert.ok(mux.connected);
  assert.ok(mux.stats.openStreams <= 256);
  assert.equal(peer.closed, false);
  assert.throws(
    () => mux.openStream(),
    (error) => error instanceof MuxError && error.code === 'WRONG_ROLE',
  );
});

test('unread bytes of all streams together hold up the channel, and all of it arrives', async (t) => {
  const { peer, streams, host } = await acceptorAndPeer(t, () => undefined, {
    maxUnreadBytes: 500_000,
    maxSessionUnreadBytes: 1_000_000,
  });
  const ids = Array.from({ length: 40 }, (_, at) => BigInt(at + 1) << 32n);
  for (const id of ids) for (let i = 0; i < 3; i++) peer.send(id, Buffer.alloc(50_000, 'p'));
  await settle(100);
  assert.ok(host.pendingBytes > 4_000_000, `${host.pendingBytes} bytes wait in the channel`);
  assert.ok(streams.length < 12, `${streams.length} streams were filled`);
  let received = 0;
  const read = (): void => {
    for (const stream of streams) {
      if (stream.listenerCount('data') > 0) continue;
      stream.on('data', (chunk: Buffer) => (received += chunk.length));
    }
  };
  await peer.until(() => {
    read();
    return received === 40 * 150_000;
  });
});

test('of many streams that nobody reads one after another is reset', async (t) => {
  const { peer, mux, streams } = await acceptorAndPeer(t, () => undefined, {
    maxSessionUnreadBytes: 300_000,
    stallTimeoutMs: 30,
  });
  const ids = Array.from({ length: 20 }, (_, at) => BigInt(at + 1) << 32n);
  for (const id of ids) peer.send(id, Buffer.alloc(60_000, 'p'));
  await peer.until(() => streams.length === 20 && mux.stats.openStreams <= 5);
  assert.ok(ids.some((id) => peer.ends(id) === 1));
});

test('ids without end: as many streams as are allowed, an end for each of the others', async (t) => {
  const { peer, mux, streams } = await acceptorAndPeer(t, () => undefined, { maxStreams: 100 });
  for (let id = 1n; id <= 5000n; id++) peer.send(id << 32n, 'G');
  await peer.until(() => peer.frames.length >= 4096);
  await settle();
  assert.equal(streams.length, 100);
  assert.equal(mux.stats.openStreams, 100);
  assert.ok(peer.frames.every(({ payload }) => payload.length === 0));
});
