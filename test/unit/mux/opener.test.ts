import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { createOpenerMux } from '../../../src/mux/mux.js';
import type { Mux } from '../../../src/mux/types.js';
import { MuxError, StreamResetError } from '../../../src/mux/types.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { encodeFrame, RawPeer, settle } from '../../support/raw-peer.js';
import { openerAndPeer } from './opener-and-peer.js';

const ANSWER = 'HTTP/1.1 200 OK\r\n\r\n';

/** Sends a request, as the first one of a session must be before the peer may answer anything. */
async function ask(mux: Mux, peer: RawPeer, text = 'GET') {
  const stream = mux.openStream();
  stream.write(text);
  await peer.until(() => peer.payload(stream.clientId).endsWith(text));
  return stream;
}

test('ids: one random prefix for each session, a counter, never used twice', async (t) => {
  const { mux, peer, guest, host } = await openerAndPeer(t);
  const ids = Array.from({ length: 50 }, () => mux.openStream().clientId);
  assert.equal(new Set(ids).size, 50);
  assert.deepEqual(
    ids.map((id) => id & 0xffff_ffffn),
    Array.from({ length: 50 }, (_, index) => BigInt(index + 1)),
  );
  const prefix = ids[0]! >> 32n;
  assert.ok(ids.every((id) => id >> 32n === prefix));
  guest.cut();
  await peer.until(() => !mux.connected);
  await RawPeer.open(host);
  await peer.until(() => mux.connected);
  assert.notEqual(mux.openStream().clientId >> 32n, prefix);
  assert.equal(mux.stats.sessions, 2);
});

test('nothing is sent for a stream that is destroyed before a byte was written', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const stream = mux.openStream();
  stream.destroy();
  const written = mux.openStream();
  written.write('never leaves');
  written.destroy();
  assert.equal(written.bytesSent, 0);
  await settle();
  assert.deepEqual(peer.frames, []);
  assert.equal(mux.stats.openStreams, 0);
});

test('end() sends no frame; destroy() sends one end', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const stream = mux.openStream();
  stream.end('GET');
  await once(stream, 'finish');
  await settle();
  assert.equal(peer.ends(stream.clientId), 0);
  assert.equal(stream.bytesSent, 3);
  peer.send(stream.clientId, ANSWER);
  await once(stream, 'readable');
  stream.destroy();
  stream.destroy();
  await peer.until(() => peer.ends(stream.clientId) === 1);
  await settle();
  assert.equal(peer.ends(stream.clientId), 1);
});

test("after the peer's end nothing more is sent, and the answer before it can be read", async (t) => {
  const { mux, peer, host } = await openerAndPeer(t);
  const stream = await ask(mux, peer, 'PUT');
  host.stall();
  const failed = new Promise((resolve) => stream.write(Buffer.alloc(3_000_000), resolve));
  await settle();
  peer.send(stream.clientId, ANSWER);
  peer.end(stream.clientId);
  await settle();
  const sentBefore = stream.bytesSent;
  assert.ok(sentBefore < 1_000_000, `${sentBefore} bytes were queued in the channel`);
  host.unstall();
  assert.equal((await buffer(stream)).toString(), ANSWER);
  assert.ok((await failed) instanceof StreamResetError);
  await settle();
  assert.equal(stream.bytesSent, sentBefore);
  assert.equal(peer.payload(stream.clientId).length, sentBefore);
  assert.equal(peer.ends(stream.clientId), 0);
  assert.equal(mux.stats.openStreams, 0);
});

test('a write after the end was read fails; the stream is closed by then', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const stream = await ask(mux, peer);
  peer.send(stream.clientId, ANSWER);
  peer.end(stream.clientId);
  assert.equal((await buffer(stream)).toString(), ANSWER);
  if (!stream.closed) await once(stream, 'close');
  const failed = await new Promise<Error | null | undefined>((resolve) =>
    stream.write('more', resolve),
  );
  assert.ok(failed);
  assert.deepEqual(peer.ends(stream.clientId), 0);
});

test('frames that arrive for a finished id are skipped', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const gone = await ask(mux, peer);
  gone.destroy();
  const stream = await ask(mux, peer);
  peer.send(gone.clientId, `${ANSWER}late`);
  peer.end(gone.clientId);
  peer.send(stream.clientId, ANSWER);
  peer.end(stream.clientId);
  assert.equal((await buffer(stream)).toString(), ANSWER);
  assert.equal(mux.stats.resyncs, 0);
  assert.equal(mux.stats.junkBytes, 0);
});

for (const size of [1, 9, 11, 4096, 1_000_003]) {
  test(`20 MB of stale bytes in chunks of ${size} are thrown away`, async (t) => {
    const { mux, peer, guest } = await openerAndPeer(t);
    const bytes = size < 100 ? 100_000 : 20_000_000;
    guest.splitter = (chunk) => {
      const pieces = [];
      for (let at = 0; at < chunk.length; at += size) pieces.push(chunk.subarray(at, at + size));
      return pieces;
    };
    const stream = await ask(mux, peer);
    const former = Buffer.concat(
      Array.from({ length: 40 }, () => encodeFrame(0x1111_2222_0000_0001n, randomBytes(60_000))),
    );
    let sent = 0;
    while (sent < bytes) {
      const junk = former.subarray(sent === 0 ? 12_345 : 0, 12_345 + bytes - sent);
      guest.inject(junk);
      sent += junk.length;
    }
    peer.send(stream.clientId, ANSWER);
    peer.end(stream.clientId);
    assert.equal((await buffer(stream)).toString(), ANSWER);
    assert.equal(mux.stats.junkBytes, sent);
    assert.equal(mux.stats.resyncs, 0);
  });
}

test('a peer that sends junk without end is left, and not asked again at once', async (t) => {
  const { mux, peer, guest } = await openerAndPeer(t);
  const stream = await ask(mux, peer);
  const failed = once(stream, 'error') as Promise<[Error]>;
  const junk = Buffer.alloc(1 << 20, 0xa5);
  while (!stream.destroyed) {
    guest.inject(junk);
    await settle(1);
  }
  assert.match((await failed)[0].message, /bytes without a frame/);
  assert.ok(mux.stats.junkBytes < 300 << 20);
  await settle();
  assert.equal(mux.stats.sessions, 1);
});

test('a foreign header in the middle: begun answers fail, later ones are found', async (t) => {
  const { mux, peer, guest } = await openerAndPeer(t);
  const begun = await ask(mux, peer);
  const waiting = await ask(mux, peer);
  peer.send(begun.clientId, ANSWER);
  await once(begun, 'readable');
  guest.inject(encodeFrame(7n, 'foreign'));
  const [error] = (await once(begun, 'error')) as [Error];
  assert.ok(error instanceof StreamResetError);
  peer.send(begun.clientId, 'rest of a lost answer');
  peer.send(waiting.clientId, ANSWER);
  peer.end(waiting.clientId);
  assert.equal((await buffer(waiting)).toString(), ANSWER);
  assert.equal(mux.stats.resyncs, 1);
  const next = await ask(mux, peer);
  peer.send(next.clientId, ANSWER);
  peer.end(next.clientId);
  assert.equal((await buffer(next)).toString(), ANSWER);
});

test('a stream over its limit is reset alone; the channel is never paused', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const lazy = mux.openStream({ maxUnreadBytes: 1_000_000 });
  lazy.write('GET');
  const eager = await ask(mux, peer);
  peer.send(lazy.clientId, ANSWER);
  const [error] = await Promise.all([
    once(lazy, 'error').then(([reason]) => reason as Error),
    (async () => {
      for (let i = 0; i < 40; i++) {
        peer.send(lazy.clientId, Buffer.alloc(60_000));
        await settle(2);
      }
    })(),
  ]);
  assert.ok(error instanceof StreamResetError);
  await peer.until(() => peer.ends(lazy.clientId) === 1);
  peer.send(eager.clientId, ANSWER);
  peer.end(eager.clientId);
  assert.equal((await buffer(eager)).toString(), ANSWER);
});

test('unread bytes in tiny frames count for what they cost', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const stream = mux.openStream({ maxUnreadBytes: 100_000 });
  stream.write('GET');
  await peer.until(() => peer.frames.length === 1);
  peer.send(stream.clientId, ANSWER);
  const many = Buffer.concat(Array.from({ length: 1000 }, () => encodeFrame(stream.clientId, 'x')));
  peer.session.write([many]);
  const [error] = (await once(stream, 'error')) as [Error];
  assert.ok(error instanceof StreamResetError);
});

test('read() gives the pieces as they came, in order, whatever way they are taken', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const stream = await ask(mux, peer);
  const texts = [ANSWER, ...Array.from({ length: 100 }, (_, index) => `piece ${index};`)];
  for (const text of texts) peer.send(stream.clientId, text);
  peer.end(stream.clientId);
  const taken: string[] = [];
  stream.on('readable', () => {
    for (
      let chunk = stream.read() as Buffer | null;
      chunk;
      chunk = stream.read() as Buffer | null
    ) {
      taken.push(chunk.toString());
    }
  });
  await once(stream, 'end');
  assert.deepEqual(taken, texts);

  const other = await ask(mux, peer);
  for (const text of texts) peer.send(other.clientId, text);
  peer.end(other.clientId);
  const flowed: string[] = [];
  other.on('data', (chunk: Buffer) => {
    flowed.push(chunk.toString());
    if (flowed.length % 7 !== 0) return;
    other.pause();
    setImmediate(() => other.resume());
  });
  await once(other, 'end');
  assert.deepEqual(flowed, texts);
});

test('without a session openStream throws NOT_CONNECTED', async (t) => {
  const { guest } = createMemoryChannelPair();
  const mux = createOpenerMux(guest);
  t.after(() => mux.close());
  assert.throws(
    () => mux.openStream(),
    (error) => error instanceof MuxError && error.code === 'NOT_CONNECTED',
  );
});
