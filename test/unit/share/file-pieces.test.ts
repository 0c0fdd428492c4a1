/** Pieces of a file in memory that is used again: who takes one has its bytes until it is through with it, wherever they come from. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_PAYLOAD_BYTES } from '../../../src/mux/frame.js';
import { readPieces } from '../../../src/share/file-pieces.js';
import type { SystemCalls } from '../../../src/share/options.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { makeTempDir } from '../../support/temp-dir.js';

const SIZE = 5_000_003;

interface Opened {
  readonly fd: number;
  readonly content: Buffer;
}

function open(t: TestContext, random: SeededRandom): Opened {
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const content = random.bytes(SIZE);
  const name = path.join(makeTempDir('davport-pieces-'), 'file');
  writeFileSync(name, content);
  const fd = openSync(name, 'r');
  t.after(() => closeSync(fd));
  return { fd, content };
}

/** Of the addon only that one. */
function callsWith(readCached: SystemCalls['readCached']): SystemCalls {
  return { readCached } as unknown as SystemCalls;
}

test('a piece stays as it is until it has been taken', async (t) => {
  const random = new SeededRandom();
  const { fd, content } = open(t, random);
  // Some of it is at hand, some of that in part.
  const readCached = (fd: number, into: Uint8Array, length: number, at: number): number => {
    const part = random.between(0, 3) === 0 ? random.between(1, length) : length;
    return random.between(0, 2) === 0 ? -1 : readSync(fd, into, 0, part, at);
  };
  for (let round = 0; round < 10; round++) {
    const start = random.between(0, 1000);
    let at = start;
    const take = async (piece: Buffer): Promise<void> => {
      const expected = content.subarray(at, (at += piece.length));
      await delay(random.between(0, 3));
      assert.ok(piece.equals(expected), `up to ${at}`);
    };
    const options = { calls: callsWith(readCached), reuse: true };
    await readPieces(fd, { start, end: SIZE }, take, options);
    assert.equal(at, SIZE);
  }
});

test('what is at hand is read when it is wanted, in one piece of memory and by whole frames', async (t) => {
  const { fd } = open(t, new SeededRandom());
  const memory = new Set<ArrayBufferLike>();
  let taking = false;
  let taken = 0;
  const readCached = (fd: number, into: Uint8Array, length: number, at: number): number => {
    assert.equal(taking, false);
    memory.add(into.buffer);
    return readSync(fd, into, 0, length, at);
  };
  const take = async (piece: Buffer, last: boolean): Promise<void> => {
    taking = true;
    await delay(0);
    taking = false;
    const isWhole = piece.length % MAX_PAYLOAD_BYTES === 0;
    // The first one shares its frame with the head.
    assert.ok(last || (taken === 0 ? piece.length === 63 * 1024 : isWhole));
    taken += piece.length;
  };
  const options = { calls: callsWith(readCached), reuse: true };
  await readPieces(fd, { start: 0, end: SIZE }, take, options);
  assert.equal(memory.size, 1);
});
