import { giveBack } from '../../receive-memory.js';
import type { Awaitable, Waiting } from '../filesystem.js';
import { ChunkList } from './chunk-list.js';
import type { ContentSource } from './content-source.js';
import type { Evictable, MemoryBudget } from './memory-budget.js';
import { giveSpare, SPARE_BYTES, takeSpare } from './spare-blocks.js';
import { Transfer, type RunningGet } from './transfer.js';
import { Waiters } from './waiters.js';

/**
 * A chunk that is a small part of a large receive buffer keeps all of that buffer alive; in a segment that stays for long it is
 * copied instead (64 KiB: about 10 µs).
 */
const PINNED_TIMES = 2;

export interface SegmentOptions {
  /** Kept until the budget wants the room, instead of until every byte was read once. */
  readonly lasting: boolean;
  /** Fetched for nobody yet. */
  readonly ahead: boolean;
  readonly reader: object;
  readonly onGone: (segment: Segment) => void;
}

/** The bytes [start, end) of a version in memory, arrived or arriving. Admitted to the budget with its full size from the start. */
export class Segment implements Evictable {
  readonly start: number;
  readonly end: number;
  readonly #budget: MemoryBudget;
  readonly #options: SegmentOptions;
  readonly #chunks: ChunkList;
  readonly #waiters = new Waiters();
  readonly #transfer: Transfer;
  /** Memory of its own, of a segment that stays. */
  #block: Buffer | undefined;
  #readBytes = 0;
  /** Reads under way, and answers that are still being used. */
  #users = 0;
  #gone = false;

  constructor(
    source: ContentSource,
    budget: MemoryBudget,
    range: { readonly start: number; readonly end: number },
    options: SegmentOptions,
  ) {
    this.start = range.start;
    this.end = range.end;
    this.#budget = budget;
    this.#options = options;
    this.#chunks = new ChunkList(range.start);
    this.#transfer = new Transfer(source, range.start, range.end, (chunk) => this.#onData(chunk));
  }

  get bytes(): number {
    return this.end - this.start;
  }

  get busy(): boolean {
    return this.#waiters.size > 0;
  }

  get reader(): object | undefined {
    return this.#options.lasting ? undefined : this.#options.reader;
  }

  get unread(): boolean {
    return this.#options.ahead && this.#readBytes === 0;
  }

  /** Still on its way. */
  get arriving(): boolean {
    return !this.#gone && this.#chunks.end < this.end;
  }

  /** Never rejects: a failure goes to those who wait; nobody waiting, the next read meets it for itself. */
  begin(running?: RunningGet): void {
    this.#budget.admit(this);
    this.#transfer.run(running).catch((error: unknown) => {
      if (this.#gone) return;
      this.#leave();
      this.#waiters.fail(error);
    });
  }

  /** Bytes of the GET given to `begin`. */
  take(chunk: Buffer): void {
    if (!this.#gone) this.#transfer.take(chunk);
  }

  /**
   * REQUIRES: start <= offset <= offset + length <= end. Synchronous when the bytes are there. The bytes may be overwritten once
   * `release` was called as often as this.
   */
  read(offset: number, length: number, waiting: Waiting): Awaitable<Buffer[]> {
    this.#users += 1;
    if (this.#chunks.end >= offset + length) return this.#hand(offset, length);
    const arrival = this.#waiters.wait(offset + length, waiting.signal);
    return arrival.then(
      () => this.#hand(offset, length),
      (error: unknown) => {
        this.release();
        throw error;
      },
    );
  }

  /** What a `read` answered was used, or the read failed. */
  release(): void {
    this.#users -= 1;
    if (this.#gone && this.#users === 0) this.#freeMemory();
  }

  evict(): void {
    this.#leave();
  }

  /** Ends it; the error goes to those who wait. */
  close(makeError: () => Error): void {
    if (!this.#gone) this.#leave();
    if (this.busy) this.#waiters.fail(makeError());
  }

  #hand(offset: number, length: number): Buffer[] {
    const pieces = this.#chunks.slice(offset, offset + length);
    this.#readBytes += length;
    const atEdge = offset + length === this.end || offset === this.start;
    const done = atEdge && this.#readBytes >= this.bytes;
    if (done && !this.#options.lasting && !this.busy) this.#leave();
    else this.#budget.touch(this);
    return pieces;
  }

  #onData(chunk: Buffer): void {
    const pinned = this.#options.lasting && chunk.buffer.byteLength > PINNED_TIMES * chunk.length;
    this.#chunks.append(pinned ? this.#copy(chunk) : chunk);
    if (pinned) giveBack(chunk.buffer, chunk.length);
    this.#waiters.arrived(this.#chunks.end);
  }

  #copy(chunk: Buffer): Buffer {
    const fits = this.bytes <= SPARE_BYTES && this.bytes > SPARE_BYTES / PINNED_TIMES;
    if (!fits) return Buffer.from(chunk);
    this.#block ??= takeSpare();
    const at = this.#chunks.end - this.start;
    chunk.copy(this.#block, at);
    return this.#block.subarray(at, at + chunk.length);
  }

  /** REQUIRES: nobody uses it any more. */
  #freeMemory(): void {
    this.#chunks.release();
    if (this.#block) giveSpare(this.#block);
    this.#block = undefined;
  }

  /** The chunks stay with those who already use the segment; nobody finds it any more. */
  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#budget.release(this);
    this.#transfer.stop();
    if (this.#users === 0) this.#freeMemory();
    this.#options.onGone(this);
  }
}
