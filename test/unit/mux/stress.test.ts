import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { createAcceptorMux, createOpenerMux } from '../../../src/mux/mux.js';
import type { Mux, MuxStream } from '../../../src/mux/types.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';

const MESSAGES = 100;
const MESSAGE_BYTES = 100;

/** Sends the head an answer must have, then everything that arrives. */
function echo(stream: MuxStream): void {
  stream.write('HTTP/1.');
  stream.on('data', (chunk: Buffer) => {
    if (stream.write(chunk)) return;
    stream.pause();
    stream.once('drain', () => stream.resume());
  });
}

async function converse(mux: Mux, index: number): Promise<void> {
  const stream = mux.openStream({ priority: index % 3 === 0 ? 'metadata' : 'bulk' });
  const expected: string[] = ['HTTP/1.'];
  const received: Buffer[] = [];
  let bytes = 0;
  const all = new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (chunk: Buffer) => {
      received.push(chunk);
      bytes += chunk.length;
      if (bytes === 7 + MESSAGES * MESSAGE_BYTES) resolve();
    });
  });
  for (let i = 0; i < MESSAGES; i++) {
    const message = `${index}:${i};`.padEnd(MESSAGE_BYTES, '.');
    expected.push(message);
    if (!stream.write(message)) await once(stream, 'drain');
    if (i % 10 === index % 10) await new Promise((resolve) => setImmediate(resolve));
  }
  await all;
  assert.equal(Buffer.concat(received).toString(), expected.join(''));
  stream.destroy();
  await once(stream, 'close');
}

for (const [streams, cuts] of [
  [1000, false],
  [200, true],
] as const) {
  const how = cuts ? ', delivered in random pieces' : '';
  test(`${streams} streams, ${MESSAGES} messages both ways each${how}`, async (t) => {
    const random = new SeededRandom();
    t.diagnostic(`TEST_SEED=${random.seed}`);
    const { guest, host } = createMemoryChannelPair();
    if (cuts) {
      guest.splitter = host.splitter = (chunk) => {
        const at = random.between(0, chunk.length + 1);
        return [chunk.subarray(0, at), chunk.subarray(at)];
      };
    }
    const opener = createOpenerMux(guest);
    const acceptor = createAcceptorMux(host, { onStream: echo, maxStreams: streams });
    t.after(() => Promise.all([opener.close(), acceptor.close()]));
    await waitUntil('a session', () => opener.connected);
    await Promise.all(Array.from({ length: streams }, (_, index) => converse(opener, index)));
    await waitUntil('the end of all streams', () => acceptor.stats.openStreams === 0);
    assert.equal(opener.stats.openStreams, 0);
    assert.equal(opener.stats.resyncs, 0);
    assert.equal(opener.stats.junkBytes, 0);
    assert.equal(opener.stats.sessions, 1);
  });
}

test('streams that come and go at random, with cut sessions between: each settles', async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const { guest, host } = createMemoryChannelPair();
  const opener = createOpenerMux(guest);
  const acceptor = createAcceptorMux(host, { onStream: echo });
  t.after(() => Promise.all([opener.close(), acceptor.close()]));
  let open = 0;
  for (let round = 0; round < 150; round++) {
    await waitUntil('a session', () => opener.connected);
    const stream = opener.openStream();
    open += 1;
    stream.once('close', () => (open -= 1));
    stream.on('data', () => undefined);
    if (random.between(0, 4) > 0) stream.write(Buffer.alloc(random.between(0, 300_000)));
    if (random.between(0, 3) > 0) setImmediate(() => stream.destroy());
    else if (random.between(0, 2) > 0) stream.end('x');
    if (random.between(0, 60) === 0) guest.cut(new Error('cut'));
    if (random.between(0, 3) > 0) await new Promise((resolve) => setImmediate(resolve));
  }
  opener.restartSession(new Error('the end of the test'));
  await waitUntil('all streams closed', () => open === 0);
  await waitUntil('the same at the other side', () => acceptor.stats.openStreams === 0);
});
