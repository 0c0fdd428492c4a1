/** Which reads of a file belong together: programs that read on, back, or in equal leaps, several at a time. */

/** The least that a request is made for. */
export const BLOCK_BYTES = 64 * 1024;
const MIN_WINDOW_BYTES = 256 * 1024;
/** Runs of one file that are told apart. */
const MAX_RUNS = 8;
/** A read followed by one no further than this behind its end may be sequential. */
const JOIN_BYTES = 32 * 1024;
/** The kernel's read-ahead of a proven run comes in several requests at once, in any order. */
const REORDER_BYTES = 1024 * 1024;
/** Longer leaps are taken for chance. */
const MAX_STRIDE_BYTES = 16 * 1024 * 1024;
/** So many equal leaps one after the other are none. */
const MIN_LEAPS = 3;
/** A run that none of so many reads belonged to has ended. */
const ACTIVE_READS = 32;

/** A program that reads on or back; of random reads each is a run of its own. */
export class Run {
  pattern: 'random' | 'forward' | 'backward' = 'random';
  start: number;
  end: number;
  /** Reads that belong to it. */
  hits = 1;
  /** Bytes of its next request. */
  window = MIN_WINDOW_BYTES;
  usedAt = 0;

  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }

  /** Takes the read [start, end) if it belongs to this run. */
  take(start: number, end: number): boolean {
    const pattern = this.#patternWith(start, end);
    if (pattern === undefined) return false;
    this.pattern = pattern;
    this.start = Math.min(this.start, start);
    this.end = Math.max(this.end, end);
    this.hits += 1;
    return true;
  }

  #patternWith(start: number, end: number): 'forward' | 'backward' | undefined {
    switch (this.pattern) {
      case 'forward':
        return Math.abs(start - this.end) <= REORDER_BYTES ? 'forward' : undefined;
      case 'backward':
        return Math.abs(end - this.start) <= REORDER_BYTES ? 'backward' : undefined;
      case 'random':
        if (start >= this.end && start <= this.end + JOIN_BYTES) return 'forward';
        return end === this.start ? 'backward' : undefined;
    }
  }
}

export class RunTracker {
  /** Most recently used last. */
  #runs: Run[] = [];
  #reads = 0;
  #lastStart = 0;
  #stride = 0;
  /** How many of the last leaps were of #stride. */
  #leaps = 0;

  /** The one that the last read belongs to. */
  get current(): Run | undefined {
    return this.#runs.at(-1);
  }

  /** Set while a program leaps on: by how much, and how far it may be believed. */
  get leaping(): { readonly stride: number; readonly leaps: number } | undefined {
    const proven = this.#leaps >= MIN_LEAPS && this.current?.pattern === 'random';
    return proven ? { stride: this.#stride, leaps: this.#leaps } : undefined;
  }

  /** Runs that go on, at least 1. */
  get active(): number {
    let count = 0;
    for (const { pattern, usedAt } of this.#runs) {
      if (pattern !== 'random' && this.#reads - usedAt < ACTIVE_READS) count += 1;
    }
    return Math.max(1, count);
  }

  observe(offset: number, length: number): void {
    const end = offset + length;
    const index = this.#runs.findIndex((run) => run.take(offset, end));
    const run = index >= 0 ? this.#runs.splice(index, 1)[0]! : new Run(offset, end);
    run.usedAt = ++this.#reads;
    this.#runs.push(run);
    if (this.#runs.length > MAX_RUNS) this.#runs.shift();
    this.#observeLeap(offset);
  }

  #observeLeap(offset: number): void {
    const stride = offset - this.#lastStart;
    this.#lastStart = offset;
    const again = stride === this.#stride && stride !== 0 && Math.abs(stride) <= MAX_STRIDE_BYTES;
    this.#leaps = again ? this.#leaps + 1 : 1;
    this.#stride = stride;
  }
}
