import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { MuxStream } from '../../../src/mux/types.js';
import { StreamResetError } from '../../../src/mux/types.js';
import { settle, type RawPeer } from '../../support/raw-peer.js';
import { openerAndPeer } from './opener-and-peer.js';

/** As long as the scheduler keeps an end back for a request that it could go with. */
const LATE_END_MS = 5;
const ANSWER = 'HTTP/1.1 200 OK\r\n\r\n';

async function send(stream: MuxStream, peer: RawPeer, text: string): Promise<bigint> {
  stream.write(text);
  await peer.until(() => peer.payload(stream.clientId).endsWith(text));
  return stream.clientId;
}

/** Has the peer answer, and reads all of it. */
async function answer(stream: MuxStream, peer: RawPeer, text = ANSWER): Promise<void> {
  peer.send(stream.clientId, text);
  await once(stream, 'readable');
  assert.equal(String(stream.read()), text);
}

test('a parked stream ends its id, and goes on with another one', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const stream = mux.openStream();
  const first = await send(stream, peer, 'GET one');
  await answer(stream, peer);
  assert.equal(stream.park(), true);
  assert.equal(stream.bytesSent, 0);
  assert.equal(mux.stats.openStreams, 0);
  await peer.until(() => peer.ends(first) === 1);

  const second = await send(stream, peer, 'GET two');
  assert.notEqual(second, first);
  assert.equal(mux.stats.openStreams, 1);
  assert.equal(stream.bytesSent, 'GET two'.length);
  assert.equal(peer.payload(first), 'GET one');
  assert.equal(peer.ends(second), 0);
  await answer(stream, peer);
  stream.destroy();
  await peer.until(() => peer.ends(second) === 1);
  assert.equal(peer.ends(first), 1);
});

test('the end of the former id goes with the next request, or by itself when there is none', async (t) => {
  const { mux, peer, host } = await openerAndPeer(t);
  const stream = mux.openStream();
  const first = await send(stream, peer, 'GET one');
  await answer(stream, peer);
  // Only a timer sends the end by itself.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  stream.park();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(host.pendingBytes, 0);
  assert.equal(peer.ends(first), 0);
  stream.write('GET two');
  await peer.until(() => peer.payload(stream.clientId) === 'GET two');
  const [end, request] = peer.frames.slice(-2);
  assert.deepEqual([end?.id, request?.id], [first, stream.clientId]);
  assert.equal(peer.ends(first), 1);
  const second = stream.clientId;
  await answer(stream, peer);
  stream.park();
  await settle();
  assert.equal(peer.ends(second), 0);
  t.mock.timers.tick(LATE_END_MS);
  await peer.until(() => peer.ends(second) === 1);
});

test('what the peer still sends on the former id reaches nobody', async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const stream = mux.openStream();
  const first = await send(stream, peer, 'GET one');
  await answer(stream, peer);
  stream.park();
  await send(stream, peer, 'GET two');
  peer.send(first, 'late');
  peer.end(first);
  await settle();
  assert.equal(stream.readableLength, 0);
  assert.equal(stream.destroyed, false);
  await answer(stream, peer, ANSWER.replace('200', '204'));
});

test("a peer that ends each id after its answer: the end isn't sent back, and ends one id only", async (t) => {
  const { mux, peer } = await openerAndPeer(t);
  const stream = mux.openStream();
  for (const text of ['GET one', 'GET two', 'GET three']) {
    const id = await send(stream, peer, text);
    peer.send(id, ANSWER);
    peer.end(id);
    await once(stream, 'readable');
    assert.equal(String(stream.read()), ANSWER);
    assert.equal(stream.park(), true, text);
    await settle();
    assert.equal(peer.ends(id), 0);
    assert.equal(stream.destroyed, false);
  }
});

test('not parked: with unread or unsent bytes, after the end was read, and when it is over', async (t) => {
  const { mux, peer, host } = await openerAndPeer(t);
  const unread = mux.openStream();
  await send(unread, peer, 'GET');
  peer.send(unread.clientId, ANSWER);
  await once(unread, 'readable');
  assert.equal(unread.park(), false);

  const ended = mux.openStream();
  await send(ended, peer, 'GET');
  peer.end(ended.clientId);
  ended.resume();
  await once(ended, 'end');
  assert.equal(ended.park(), false);
  assert.equal(ended.destroy().park(), false);

  const unsent = mux.openStream();
  await send(unsent, peer, 'PUT');
  host.stall();
  unsent.write(Buffer.alloc(3_000_000));
  assert.equal(unsent.park(), false);
  host.unstall();
});

test('the end of a session ends its parked streams', async (t) => {
  const { mux, peer, guest } = await openerAndPeer(t);
  const stream = mux.openStream();
  await send(stream, peer, 'GET');
  await answer(stream, peer);
  stream.park();
  const failed = once(stream, 'error');
  guest.cut();
  const [error] = (await failed) as [unknown];
  assert.ok(error instanceof StreamResetError);
  const write = new Promise((resolve) => stream.write('GET', resolve));
  assert.ok((await write) instanceof Error);
});

test('the next id has the priority that the stream was given while parked', async (t) => {
  const { mux, peer, host } = await openerAndPeer(t);
  const [bulk, parked] = [mux.openStream(), mux.openStream({ priority: 'bulk' })];
  await send(bulk, peer, 'PUT');
  await send(parked, peer, 'GET');
  await answer(parked, peer);
  parked.park();
  parked.priority = 'metadata';
  host.stall();
  bulk.write(Buffer.alloc(2_000_000));
  await settle();
  parked.write('PROPFIND');
  host.unstall();
  await peer.until(() => peer.payload(bulk.clientId).length >= 2_000_000);
  const frames = peer.frames.map(({ id }) => id);
  assert.ok(frames.lastIndexOf(parked.clientId) < frames.lastIndexOf(bulk.clientId));
});
