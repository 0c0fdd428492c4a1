import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChannelError } from '../../../src/channel/errors.js';
import { HIGH_WATER_BYTES, MAX_WRITE_BYTES } from '../../../src/channel/virtio-session.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';
import { ended, openPresent } from './virtio-helpers.js';

test('data both ways, then the host leaves: the rest arrives, then a good end', async () => {
  const { port, channel, sink, session } = await openPresent();
  assert.equal(session.write([Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')]), true);
  session.write([Buffer.from('d')]);
  await waitUntil('the write', () => port.written.length > 0);
  assert.deepEqual(port.writes.map(String), ['abcd'], 'frames of one turn share a transfer');
  const last = new SeededRandom(1).bytes(300_000);
  port.send(last);
  port.hostPresent = false;
  assert.equal(await ended(sink), undefined);
  assert.deepEqual(sink.bytes, last);
  assert.equal(port.opener, undefined, 'the port is closed');
  await channel.close();
});

test('chunks are never written again', async () => {
  const { port, channel, sink } = await openPresent();
  const random = new SeededRandom();
  const sent: Buffer[] = [];
  const copies: Buffer[] = [];
  sink.onChunk = () => copies.push(Buffer.from(sink.chunks.at(-1)!));
  for (let round = 0; round < 60; round++) {
    const bytes = random.bytes(random.between(1, 20_000));
    sent.push(bytes);
    port.send(bytes);
    await waitUntil('arrival', () => port.incoming === 0, 5000, 1);
  }
  await channel.close();
  assert.deepEqual(Buffer.concat(copies), Buffer.concat(sent), `seed ${random.seed}`);
  assert.deepEqual(sink.bytes, Buffer.concat(sent), `seed ${random.seed}`);
});

test('random writes with random room arrive whole, in order, in transfers of at most 32 KiB', async () => {
  const { port, channel, sink, session } = await openPresent();
  const random = new SeededRandom();
  const sent: Buffer[] = [];
  port.room = 0;
  const feeder = setInterval(() => (port.room += random.between(0, 60_000)), 1);
  for (let round = 0; round < 150; round++) {
    const size = random.next() < 0.2 ? random.between(30_000, 150_000) : random.between(0, 2000);
    const buffers = [random.bytes(10), random.bytes(size)];
    sent.push(...buffers);
    session.write(buffers);
    if (random.next() < 0.3) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const expected = Buffer.concat(sent);
  await waitUntil('all written', () => port.written.length === expected.length);
  clearInterval(feeder);
  assert.ok(port.written.equals(expected), `seed ${random.seed}`);
  assert.ok(port.writes.every(({ length }) => length <= MAX_WRITE_BYTES));
  assert.equal(sink.ends.length, 0);
  await channel.close();
});

test('over the high-water mark write says false, and onDrain comes when all has left', async () => {
  const { port, channel, sink, session } = await openPresent();
  port.room = 0;
  assert.equal(session.write([Buffer.alloc(HIGH_WATER_BYTES)]), true);
  assert.equal(session.write([Buffer.alloc(1)]), false);
  port.room = HIGH_WATER_BYTES;
  await waitUntil('room used', () => port.room === 0);
  assert.equal(sink.drains, 0);
  port.room = 1000;
  await waitUntil('drain', () => sink.drains === 1);
  assert.equal(port.written.length, HIGH_WATER_BYTES + 1);
  assert.equal(session.write([Buffer.alloc(1)]), true);
  await channel.close();
});

test('a large buffer is not copied', async () => {
  const { port, channel, session } = await openPresent();
  const big = Buffer.alloc(100_000, 'a');
  port.room = MAX_WRITE_BYTES;
  session.write([big]);
  await waitUntil('the first transfer', () => port.room === 0);
  // Not how a caller may behave, but how a test can see that the queue holds the caller's memory.
  big.fill('b');
  port.room = big.length;
  await waitUntil('all', () => port.written.length === big.length);
  assert.equal(port.written.at(-1), 'b'.charCodeAt(0));
  await channel.close();
});

test('a write while the host is away waits, and the session ends', async () => {
  const { port, sink, session } = await openPresent();
  port.hostPresent = false;
  session.write([Buffer.from('lost')]);
  assert.equal(await ended(sink), undefined);
  assert.equal(port.written.length, 0);
  assert.equal(session.write([Buffer.from('nothing')]), true);
});

test('the host was away for less than a poll: a read of 0 alone ends the session', async () => {
  const { port, sink } = await openPresent();
  port.hostPresent = false;
  await waitUntil('the read', () => port.opener === undefined);
  port.hostPresent = true;
  assert.equal(await ended(sink), undefined);
});

test('closed by the session itself: once, also when closed again, and from within a callback', async () => {
  const { port, sink, session, channel } = await openPresent();
  sink.onChunk = () => {
    session.close();
    session.close();
  };
  port.send(Buffer.alloc(10_000));
  assert.equal(await ended(sink), undefined);
  assert.equal(port.opener, undefined);
  await channel.close();
  assert.equal(sink.ends.length, 1);
});

test('a read or write that fails ends the session with the cause', async () => {
  const { port, sink } = await openPresent();
  port.ioFails = 'EIO';
  const error = await ended(sink);
  assert.ok(error instanceof ChannelError);
  assert.equal(error.code, 'CHANNEL_FAILED');
  assert.equal((error.cause as NodeJS.ErrnoException).code, 'EIO');

  const other = await openPresent();
  other.session.write([Buffer.from('x')]);
  other.port.ioFails = 'EPIPE';
  assert.equal(((await ended(other.sink))?.cause as NodeJS.ErrnoException).code, 'EPIPE');
});
