import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { ChannelError } from '../../../src/channel/errors.js';
import { createAcceptorMux, createOpenerMux } from '../../../src/mux/mux.js';
import type { Mux } from '../../../src/mux/types.js';
import { MuxError, StreamResetError } from '../../../src/mux/types.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { RawPeer, settle } from '../../support/raw-peer.js';
import { waitUntil } from '../../support/wait-until.js';

function muxPair(t: TestContext) {
  const ends = createMemoryChannelPair();
  const opener = createOpenerMux(ends.guest);
  const acceptor = createAcceptorMux(ends.host, { onStream: (stream) => stream.resume() });
  t.after(() => Promise.all([opener.close(), acceptor.close()]));
  return { ...ends, opener, acceptor };
}

const connected = (mux: Mux) => waitUntil('a session', () => mux.connected);

test('listeners hear of each session and its end; one that throws harms nobody', async (t) => {
  const { guest, opener } = muxPair(t);
  const heard: boolean[] = [];
  opener.onConnectedChange(() => {
    throw new Error('a bad listener');
  });
  const stop = opener.onConnectedChange((is) => {
    assert.equal(opener.connected, is);
    heard.push(is);
  });
  await connected(opener);
  guest.cut();
  await waitUntil('a second session', () => heard.length === 3);
  assert.deepEqual(heard, [true, false, true]);
  stop();
  guest.cut();
  await waitUntil('a third session', () => opener.stats.sessions === 3);
  assert.equal(heard.length, 3);
});

for (const [name, error] of [
  ['closed in good order', undefined],
  ['broken', new Error('broken pipe')],
] as const) {
  test(`a session that is ${name} resets its streams, on both sides`, async (t) => {
    const { guest, host, opener, acceptor } = muxPair(t);
    await connected(opener);
    const stream = opener.openStream();
    stream.write('GET');
    await waitUntil('the stream', () => acceptor.stats.openStreams === 1);
    host.stall();
    const written = new Promise((resolve) => stream.write(Buffer.alloc(5_000_000), resolve));
    await waitUntil('a full channel', () => host.pendingBytes > 250_000);
    guest.cut(error);
    const [reason] = (await once(stream, 'error')) as [Error];
    assert.ok(reason instanceof StreamResetError);
    assert.match(reason.message, error ? /broken pipe/ : /closed the channel/);
    assert.ok((await written) instanceof Error);
    await waitUntil('the end of the other stream', () => acceptor.stats.openStreams === 0);
    assert.equal(opener.stats.openStreams, 0);
  });
}

test('restartSession: streams fail at once, a new session follows after 100 ms or more', async (t) => {
  const { opener, acceptor } = muxPair(t);
  await connected(opener);
  const stream = opener.openStream();
  const failed = once(stream, 'error');
  const before = performance.now();
  const reason = new Error('no answer for long');
  opener.restartSession(reason);
  assert.equal(opener.connected, false);
  assert.throws(() => opener.openStream(), MuxError);
  const [error] = (await failed) as [Error];
  assert.equal(error.cause, reason);
  opener.restartSession(reason);
  await connected(opener);
  assert.ok(performance.now() - before >= 99);
  await waitUntil('both ends', () => acceptor.connected && acceptor.stats.sessions === 2);
  assert.equal(opener.stats.sessions, 2);
});

test('a peer that closes every time is tried less and less often', async (t) => {
  const { host, guest } = createMemoryChannelPair();
  const opener = createOpenerMux(guest);
  t.after(() => Promise.all([opener.close(), host.close()]));
  const opened: number[] = [];
  for (let i = 0; i < 5; i++) {
    const peer = await RawPeer.open(host);
    opened.push(performance.now());
    // Junk isn't life.
    peer.session.write([Buffer.alloc(100)]);
    peer.session.close();
    await peer.until(() => peer.closed);
  }
  const waits = opened.slice(1).map((at, index) => at - opened[index]!);
  for (const [index, least] of [45, 90, 190, 390].entries()) {
    assert.ok(waits[index]! >= least, `waits: ${waits.join(' ')}`);
  }
});

test('a channel that says waiting is in vain: failure, closed, listeners are told', async () => {
  const { guest } = createMemoryChannelPair();
  const mux = createOpenerMux(guest);
  const heard: boolean[] = [];
  mux.onConnectedChange((is) => heard.push(is));
  await settle(3);
  const error = new ChannelError('CHANNEL_BUSY', 'in use');
  guest.failOpen(error);
  await waitUntil('the failure', () => mux.failure !== undefined);
  assert.equal(mux.failure, error);
  assert.deepEqual(heard, [false]);
  assert.throws(
    () => mux.openStream(),
    (thrown) => thrown instanceof MuxError && thrown.cause === error,
  );
  await mux.close();
});

test('close: while waiting, during a session, during the back-off, twice', async () => {
  const waiting = createOpenerMux(createMemoryChannelPair().guest);
  await waiting.close();
  await waiting.close();
  assert.equal(waiting.failure, undefined);

  const ends = createMemoryChannelPair();
  const opener = createOpenerMux(ends.guest);
  const acceptor = createAcceptorMux(ends.host, { onStream: () => undefined });
  await connected(opener);
  const stream = opener.openStream();
  const failed = once(stream, 'error');
  await opener.close();
  assert.ok(((await failed) as unknown[])[0] instanceof StreamResetError);
  assert.equal(opener.connected, false);
  await waitUntil('the end of the session', () => !acceptor.connected);
  await acceptor.close();
});

test('a link that goes away and comes back is taken up again', async (t) => {
  const { guest, opener } = muxPair(t);
  await connected(opener);
  guest.disconnect();
  await waitUntil('the end', () => !opener.connected);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(opener.connected, false);
  guest.connect();
  await connected(opener);
});
