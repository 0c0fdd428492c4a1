import { giveBack } from '../receive-memory.js';

/** What an entry of the queue costs beside its bytes, about. */
const PIECE_COST = 256;

/**
 * A waiting piece keeps the whole chunk alive that it is a slice of, which is 256 KiB or more. Smaller pieces are copied out of it, so
 * that waiting bytes never cost more than 16 times their number.
 */
const MIN_SHARED_BYTES = 16 * 1024;

/** Pieces that arrived before they were asked for. */
export class PieceQueue {
  #pieces: Buffer[] = [];
  #first = 0;
  #cost = 0;

  get empty(): boolean {
    return this.#first === this.#pieces.length;
  }

  /** Memory taken up, in bytes. */
  get cost(): number {
    return this.#cost;
  }

  add(piece: Buffer): void {
    this.#cost += piece.length + PIECE_COST;
    this.#pieces.push(piece.length < MIN_SHARED_BYTES ? copied(piece) : piece);
  }

  take(): Buffer | undefined {
    const piece = this.#pieces[this.#first];
    if (piece === undefined) return undefined;
    this.#cost -= piece.length + PIECE_COST;
    this.#first += 1;
    if (this.#first === this.#pieces.length) this.clear();
    else if (this.#first > 1024 && this.#first * 2 > this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#first);
      this.#first = 0;
    }
    return piece;
  }

  clear(): void {
    this.#pieces = [];
    this.#first = 0;
    this.#cost = 0;
  }
}

/** The memory that the piece was received into may be used again. */
export function copied(piece: Buffer): Buffer {
  const copy = Buffer.from(piece);
  giveBack(piece.buffer, piece.length);
  return copy;
}
