import { giveBack } from '../../receive-memory.js';

/** The arrived bytes [start, end) of a file, kept as the pieces they came in: nothing is joined or copied. */
export class ChunkList {
  #chunks: Buffer[] = [];
  /** Offset of each chunk's first byte. */
  #offsets: number[] = [];
  #head = 0;
  #start: number;
  #end: number;

  constructor(start: number) {
    this.#start = start;
    this.#end = start;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  get bytes(): number {
    return this.#end - this.#start;
  }

  append(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#offsets.push(this.#end);
    this.#end += chunk.length;
  }

  /** REQUIRES: start <= from <= to <= end. */
  slice(from: number, to: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let index = this.#indexOf(from), at = from; at < to; index += 1) {
      const chunk = this.#chunks[index]!;
      const offset = this.#offsets[index]!;
      const upTo = Math.min(to, offset + chunk.length);
      pieces.push(
        at === offset && upTo === offset + chunk.length
          ? chunk
          : chunk.subarray(at - offset, upTo - offset),
      );
      at = upTo;
    }
    return pieces;
  }

  /** Drops whole chunks from the front while they end at or before `offset`. */
  dropUntil(offset: number): void {
    while (this.#head < this.#chunks.length) {
      const end = this.#offsets[this.#head]! + this.#chunks[this.#head]!.length;
      if (end > offset) break;
      this.#chunks[this.#head] = EMPTY;
      this.#head += 1;
      this.#start = end;
    }
    // Amortised: each chunk is moved at most once per halving.
    if (this.#head > 64 && this.#head * 2 > this.#chunks.length) {
      this.#chunks = this.#chunks.slice(this.#head);
      this.#offsets = this.#offsets.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Nobody uses a slice any more: received memory goes back to where it came from. */
  release(): void {
    for (const chunk of this.#chunks) giveBack(chunk.buffer, chunk.length);
    this.clear();
  }

  clear(): void {
    this.#chunks = [];
    this.#offsets = [];
    this.#head = 0;
    this.#start = this.#end;
  }

  /** Index of the chunk that holds `offset`. */
  #indexOf(offset: number): number {
    let low = this.#head;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#offsets[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

const EMPTY = Buffer.alloc(0);
