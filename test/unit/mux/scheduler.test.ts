import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MuxCounters } from '../../../src/mux/counters.js';
import type { FrameSource } from '../../../src/mux/scheduler.js';
import { FrameScheduler } from '../../../src/mux/scheduler.js';
import { decodeFrames } from '../../support/raw-peer.js';

/** A source of so many bytes. */
class Source implements FrameSource {
  readonly high = 1;
  readonly low: number;
  readonly metadata: boolean;
  left: number;
  handed = 0;

  constructor(low: number, metadata: boolean, left: number) {
    this.low = low;
    this.metadata = metadata;
    this.left = left;
  }

  get hasMore(): boolean {
    return this.left > 0;
  }
  takePayload(limit: number, out: Uint8Array[]): number | undefined {
    const size = Math.min(limit, this.left);
    this.left -= size;
    out.push(Buffer.alloc(size));
    return size;
  }
  onHanded(): void {
    this.handed += 1;
  }
}

/** A channel that says stop after each write, so that each batch is seen alone. */
function scheduler(blocks = true) {
  const batches: number[][] = [];
  const counters = new MuxCounters();
  const own = new FrameScheduler((buffers) => {
    const { frames, rest } = decodeFrames(Buffer.concat(buffers));
    assert.equal(rest.length, 0);
    batches.push(frames.map((frame) => Number(frame.id & 0xffffn)));
    return !blocks;
  }, counters);
  return { own, batches, counters };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('one frame for each stream and turn', async () => {
  const { own, batches } = scheduler(false);
  for (const low of [1, 2, 3]) own.add(new Source(low, false, 3 * 65_535));
  await turn();
  assert.deepEqual(batches.flat(), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
});

test('metadata goes first, and leaves bulk every ninth frame', async () => {
  const { own, batches } = scheduler(false);
  own.add(new Source(7, false, 2 * 65_535));
  own.add(new Source(1, true, 20 * 65_535));
  await turn();
  const order = batches.flat();
  assert.deepEqual(order.slice(0, 18), [
    ...Array<number>(8).fill(1),
    7,
    ...Array<number>(8).fill(1),
    7,
  ]);
  assert.equal(order.length, 22);
});

test('no more than about 256 KiB at a time, and nothing until the drain', async () => {
  const { own, batches, counters } = scheduler();
  const source = new Source(1, false, 100 * 65_535);
  own.add(source);
  await turn();
  assert.equal(batches.length, 1);
  assert.ok(counters.bytesOut <= 256 * 1024 + 65_545);
  assert.equal(source.handed, 0);
  own.onDrain();
  assert.equal(batches.length, 2);
});

test('a removed source sends nothing more; ends go before all else', async () => {
  const { own, batches } = scheduler();
  const source = new Source(1, true, 100 * 65_535);
  own.add(source);
  own.add(new Source(2, false, 10));
  await turn();
  own.remove(source);
  own.sendEnd(1, 9);
  own.onDrain();
  own.onDrain();
  assert.deepEqual(batches.slice(1), [[9, 2]]);
});

test('ends for a peer that never reads are bounded', async () => {
  const { own, batches } = scheduler();
  own.sendEnd(1, 1);
  await turn();
  for (let i = 0; i < 100_000; i++) own.sendEnd(1, 2);
  own.onDrain();
  assert.equal(batches[1]!.length, 4096);
});

test('after stop() nothing is written', async () => {
  const { own, batches } = scheduler(false);
  own.add(new Source(1, true, 100));
  own.stop();
  await turn();
  own.onDrain();
  assert.deepEqual(batches, []);
});

test('what the channel could not take at once counts as handed when it has left', async () => {
  const { own, batches } = scheduler();
  const [large, small] = [new Source(1, false, 100_000), new Source(2, false, 10)];
  own.add(large);
  await turn();
  assert.deepEqual([batches.length, large.handed], [1, 0]);
  own.add(small);
  await turn();
  assert.deepEqual([batches.length, large.handed, small.handed], [1, 0, 0]);
  own.onDrain();
  assert.deepEqual([batches.length, large.handed, small.handed], [2, 1, 0]);
  own.onDrain();
  assert.equal(small.handed, 1);
});
