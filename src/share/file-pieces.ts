/** Reading an open file: at once where it is small, else in pieces, one being read while the one before is sent. */
import fs from 'node:fs';
import type { ByteRange } from './range.js';

const PIECE_BYTES = 256 * 1024;

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

/**
 * Gives all bytes of the range to `take`, which may keep them; `last` with the last of them. An empty piece: the file ends before the
 * range does. REQUIRES: `fd` stays open until the promise settles.
 */
export async function readPieces(
  fd: number,
  { start, end }: ByteRange,
  take: (piece: Buffer, last: boolean) => Promise<void> | void,
): Promise<void> {
  let ahead = readPiece(fd, start, Math.min(PIECE_BYTES, end - start));
  for (let at = start; at < end;) {
    const piece = await ahead;
    at += piece.length;
    const last = at >= end || piece.length === 0;
    if (!last) ahead = readPiece(fd, at, Math.min(PIECE_BYTES, end - at));
    try {
      await take(piece, last);
    } catch (error) {
      // The descriptor must not be closed under a read.
      await ahead.catch(() => undefined);
      throw error;
    }
    if (piece.length === 0) return;
  }
}

/** Up to `length` bytes, in a buffer of its own. */
function readPiece(fd: number, start: number, length: number): Promise<Buffer> {
  const promise = new Promise<Buffer>((resolve, reject) => {
    fs.read(fd, Buffer.allocUnsafeSlow(length), 0, length, start, (error, count, buffer) => {
      if (error) reject(error);
      else resolve(buffer.subarray(0, count));
    });
  });
  // Awaited one turn of the loop later; a failure in between is not an unhandled one.
  promise.catch(() => undefined);
  return promise;
}
