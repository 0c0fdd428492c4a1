/** Reading an open file: at once where it is small, else in pieces; one that a disk has is read while the one before is sent. */
import fs from 'node:fs';
import { MAX_PAYLOAD_BYTES } from '../mux/frame.js';
import type { SystemCalls } from './options.js';
import type { ByteRange } from './range.js';
import { Slices } from '../slices.js';

/** A little less than 256 KiB: whole frames of the multiplexer, which would send a few bytes in one of their own. */
const PIECE_BYTES = 4 * MAX_PAYLOAD_BYTES;
/** The first one, with the head of the answer in one frame: whoever waits for the first bytes does not wait for others. */
const FIRST_BYTES = 63 * 1024;

/** Fills `buffer` from `start` on; gives how much there was. */
export function readNow(fd: number, buffer: Buffer, start: number): number {
  let filled = 0;
  while (filled < buffer.length) {
    const count = fs.readSync(fd, buffer, filled, buffer.length - filled, start + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

export interface PieceOptions {
  /** Without it all is read by the thread pool. */
  readonly calls?: SystemCalls | undefined;
  /** `take` is through with a piece when its promise settles: later ones come in the same memory. */
  readonly reuse?: boolean;
}

/**
 * Gives all bytes of the range to `take`, which may keep them unless they are reused; `last` with the last of them. An empty piece: the
 * file ends before the range does. REQUIRES: `fd` stays open until the promise settles.
 */
export async function readPieces(
  fd: number,
  { start, end }: ByteRange,
  take: (piece: Buffer, last: boolean) => Promise<void> | void,
  options: PieceOptions = {},
): Promise<void> {
  const reader = new PieceReader(fd, options, end - start);
  // What is at hand, and taken at once, would go on without a turn of the event loop.
  const slices = new Slices(4);
  let next: Buffer | Promise<Buffer> | undefined;
  for (let at = start; at < end;) {
    const reading = next ?? reader.read(at, end);
    const waited = !Buffer.isBuffer(reading);
    const piece = waited ? await reading : reading;
    at += piece.length;
    const last = at >= end || piece.length === 0;
    // What is at hand is copied when it is wanted: into the memory that has just been sent, and is in the processor's cache.
    next = waited && !last ? reader.read(at, end) : undefined;
    try {
      await take(piece, last);
    } catch (error) {
      // The descriptor must not be closed under a read.
      await Promise.resolve(next).catch(() => undefined);
      throw error;
    }
    if (piece.length === 0) return;
    const pause = slices.pause();
    if (pause) await pause;
  }
}

class PieceReader {
  readonly #fd: number;
  readonly #calls: SystemCalls | undefined;
  /** INVARIANT: nobody has the one of `#turn`. The other one may be that of a thread, or be taken. */
  readonly #buffers: [Buffer, Buffer] | undefined;
  #turn: 0 | 1 = 0;
  #most = FIRST_BYTES;

  constructor(fd: number, { calls, reuse }: PieceOptions, length: number) {
    this.#fd = fd;
    this.#calls = calls;
    if (reuse !== true) return;
    const size = Math.min(PIECE_BYTES, length);
    this.#buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
  }

  /** The next bytes from `at` on. REQUIRES: those of the read before it have been taken, unless it gave a promise. */
  read(at: number, end: number): Buffer | Promise<Buffer> {
    const length = Math.min(this.#most, end - at);
    this.#most = PIECE_BYTES;
    const buffer = this.#buffers?.[this.#turn] ?? Buffer.allocUnsafeSlow(length);
    const count = this.#calls?.readCached?.(this.#fd, buffer, length, at) ?? -1;
    if (count > 0) return buffer.subarray(0, count);
    // That the file ends here is asked the ordinary way, too: an answer would be broken off for it.
    this.#turn = this.#turn === 0 ? 1 : 0;
    return readInPool(this.#fd, buffer, length, at);
  }
}

function readInPool(fd: number, into: Buffer, length: number, at: number): Promise<Buffer> {
  const promise = new Promise<Buffer>((resolve, reject) => {
    fs.read(fd, into, 0, length, at, (error, count, buffer) => {
      if (error) reject(error);
      else resolve(buffer.subarray(0, count));
    });
  });
  // Awaited one turn of the loop later; a failure in between is not an unhandled one.
  promise.catch(() => undefined);
  return promise;
}
