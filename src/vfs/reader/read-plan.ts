/** Which bytes to ask for when a program wants some: the policy of a reader, without a byte in it. */
import { BLOCK_BYTES, RunTracker } from './runs.js';

/** Bytes [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What is in memory, or on its way. */
export interface Presence {
  /** The present bytes around `offset`, or undefined. */
  presentAt(offset: number): Range | undefined;
  /** The absent bytes around `offset`. REQUIRES: it is absent. */
  gapAround(offset: number): Range;
}

export interface ReadPlan {
  /** A program reads there now. */
  observe(offset: number, length: number): void;
  /** What to fetch so that `gap`, a part of the last observed read, is there. Covers `gap`. */
  widen(gap: Range): Range;
  /** The next request for what will be read soon, in a share of `memoryBytes`; undefined: nothing is missing. */
  ahead(presence: Presence, memoryBytes: number): Range | undefined;
  /** The request that `ahead` told was made. */
  grow(): void;
  /** Requests ahead that may be on their way at a time. */
  readonly depth: number;
  /** Segments stay until the room is wanted: they will be read again. */
  readonly lasting: boolean;
}

/** Small files: all or nothing. */
export class WholePlan implements ReadPlan {
  readonly #size: number;
  readonly lasting = true;
  readonly depth = 0;

  constructor(size: number) {
    this.#size = size;
  }

  observe(): void {
    return;
  }
  widen(): Range {
    return { start: 0, end: this.#size };
  }
  ahead(): undefined {
    return undefined;
  }
  grow(): void {
    return;
  }
}

const MAX_WINDOW_BYTES = 4 * 1024 * 1024;
/** Windows on their way beyond where the program reads. */
const DEPTH = 4;
/** Blocks on their way where a program leaps on: each weighs little. */
const LEAPS = 8;

/** Big files where a range costs what it weighs: growing windows ahead of who reads on or back, blocks for leaps and random reads. */
export class WindowPlan implements ReadPlan {
  readonly #size: number;
  readonly #runs = new RunTracker();
  readonly lasting = false;

  constructor(size: number) {
    this.#size = size;
  }

  get depth(): number {
    return this.#runs.leaping ? LEAPS : DEPTH * this.#runs.active;
  }

  observe(offset: number, length: number): void {
    this.#runs.observe(offset, length);
  }

  widen(gap: Range): Range {
    const run = this.#runs.current;
    switch (run?.pattern) {
      case 'forward':
        return { start: gap.start, end: this.#clip(Math.max(gap.end, gap.start + run.window)) };
      case 'backward':
        return { start: Math.max(0, Math.min(gap.start, gap.end - run.window)), end: gap.end };
      default:
        return this.#blocksOf(gap);
    }
  }

  ahead(presence: Presence, memoryBytes: number): Range | undefined {
    const run = this.#runs.current;
    if (!run) return undefined;
    if (run.pattern === 'random') return this.#leap(run, presence);
    const most = Math.floor(memoryBytes / this.#runs.active / DEPTH);
    const window = Math.min(run.window, Math.max(BLOCK_BYTES, most));
    // Two reads in a row may be chance: one window then, more with every further one.
    const reach = window * Math.min(DEPTH, run.hits - 1);
    return run.pattern === 'forward'
      ? this.#onward(run.end, reach, window, presence)
      : this.#backward(run.start, reach, window, presence);
  }

  grow(): void {
    const run = this.#runs.current;
    if (run) run.window = Math.min(run.window * 2, MAX_WINDOW_BYTES);
  }

  #onward(from: number, reach: number, window: number, presence: Presence): Range | undefined {
    const limit = this.#clip(from + reach);
    for (let at = from; at < limit;) {
      const present = presence.presentAt(at);
      if (!present) return { start: at, end: Math.min(at + window, presence.gapAround(at).end) };
      at = present.end;
    }
    return undefined;
  }

  #backward(from: number, reach: number, window: number, presence: Presence): Range | undefined {
    const limit = Math.max(0, from - reach);
    for (let at = from; at > limit;) {
      const present = presence.presentAt(at - 1);
      if (!present) {
        return { start: Math.max(at - window, presence.gapAround(at - 1).start), end: at };
      }
      at = present.start;
    }
    return undefined;
  }

  #leap({ start, end }: Range, presence: Presence): Range | undefined {
    const { stride, leaps } = this.#runs.leaping ?? { stride: 0, leaps: 0 };
    for (let leap = 1; leap <= Math.min(LEAPS, leaps); leap += 1) {
      const target = { start: start + stride * leap, end: end + stride * leap };
      if (target.start < 0 || target.end > this.#size) return undefined;
      const blocks = this.#blocksOf(target);
      if (presence.presentAt(target.start)) continue;
      const gap = presence.gapAround(target.start);
      return { start: Math.max(blocks.start, gap.start), end: Math.min(blocks.end, gap.end) };
    }
    return undefined;
  }

  #blocksOf({ start, end }: Range): Range {
    return {
      start: start - (start % BLOCK_BYTES),
      end: this.#clip(Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES),
    };
  }

  #clip(end: number): number {
    return Math.min(this.#size, end);
  }
}
