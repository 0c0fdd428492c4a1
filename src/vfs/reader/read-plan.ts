/** Which bytes to ask for when a program wants some: the policy of a reader, without a byte in it. */

/** Bytes [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface ReadPlan {
  /** A program reads there now. */
  observe(offset: number, length: number): void;
  /** What to fetch so that `gap`, a part of the last observed read, is there. Covers `gap`. */
  widen(gap: Range): Range;
  /** What should be on its way besides, in requests of at most `window`; undefined: nothing. */
  ahead(): { readonly range: Range; readonly window: number } | undefined;
  /** A request of the size that `ahead` told was made. */
  grow(): void;
  /** Segments stay until the room is wanted: they will be read again. */
  readonly lasting: boolean;
}

/** Small files: all or nothing. */
export class WholePlan implements ReadPlan {
  readonly #size: number;
  readonly lasting = true;

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

const BLOCK_BYTES = 64 * 1024;
const MIN_WINDOW_BYTES = 256 * 1024;
const MAX_WINDOW_BYTES = 4 * 1024 * 1024;
/** Windows on their way beyond where the program reads. */
const DEPTH = 4;
/** Parallel sequential readers of one file that are told apart. */
const MAX_RUNS = 8;
/** A read followed by one no further than this behind its end may be sequential. */
const JOIN_BYTES = 32 * 1024;
/** The kernel's read-ahead of a proven run comes in several requests at once, in any order. */
const REORDER_BYTES = 1024 * 1024;

/** A program that reads on and on. */
interface Run {
  position: number;
  window: number;
  hits: number;
}

/** Big files where a range costs what it weighs: growing windows ahead of sequential readers, blocks for random ones. */
export class WindowPlan implements ReadPlan {
  readonly #size: number;
  readonly #maxAheadBytes: number;
  readonly lasting = false;
  /** Most recently used last. */
  #runs: Run[] = [];
  #current: Run | undefined;

  constructor(size: number, maxAheadBytes: number) {
    this.#size = size;
    this.#maxAheadBytes = maxAheadBytes;
  }

  observe(offset: number, length: number): void {
    const index = this.#runs.findIndex((run) => belongs(run, offset));
    const run =
      index >= 0
        ? this.#runs.splice(index, 1)[0]!
        : { position: offset, window: MIN_WINDOW_BYTES, hits: 0 };
    run.position = Math.max(run.position, offset + length);
    run.hits += 1;
    this.#runs.push(run);
    if (this.#runs.length > MAX_RUNS) this.#runs.shift();
    this.#current = run;
  }

  widen(gap: Range): Range {
    const run = this.#current;
    if (run && run.hits > 1) {
      return {
        start: gap.start,
        end: Math.min(this.#size, Math.max(gap.end, gap.start + run.window)),
      };
    }
    return {
      start: gap.start - (gap.start % BLOCK_BYTES),
      end: Math.min(this.#size, Math.ceil(gap.end / BLOCK_BYTES) * BLOCK_BYTES),
    };
  }

  ahead(): { range: Range; window: number } | undefined {
    const run = this.#current;
    if (!run || run.hits < 2) return undefined;
    const window = Math.min(
      run.window,
      Math.max(BLOCK_BYTES, Math.floor(this.#maxAheadBytes / DEPTH)),
    );
    // Two reads in a row may be chance: one window then, more with every further one.
    const depth = Math.min(DEPTH, run.hits - 1);
    const end = Math.min(this.#size, run.position + window * depth);
    return run.position < end ? { range: { start: run.position, end }, window } : undefined;
  }

  grow(): void {
    const run = this.#current;
    if (run) run.window = Math.min(run.window * 2, MAX_WINDOW_BYTES);
  }
}

function belongs(run: Run, offset: number): boolean {
  if (run.hits > 1) return Math.abs(offset - run.position) <= REORDER_BYTES;
  return offset >= run.position && offset <= run.position + JOIN_BYTES;
}
