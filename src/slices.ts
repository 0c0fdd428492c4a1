/** Long work in the event loop is done in slices: whoever waits for an answer meanwhile is not to notice. */
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long a slice of synchronous work may hold the event loop. */
const SLICE_MS = 4;

/**
 * Long work made of many short synchronous system calls, which cost a fraction of what they would through the thread pool. `pause`
 * gives a promise when it is time to let others run.
 */
export class Slices {
  readonly #every: number;
  readonly #most: number;
  #began = performance.now();
  /** Of this slice. */
  #count = 0;

  /**
   * Looks at the clock at each `every`th pause only: it costs as much as a small system call. After `most` of them it is time
   * whatever the clock says.
   */
  constructor(every = 16, most = Infinity) {
    this.#every = every;
    this.#most = most;
  }

  pause(): Promise<void> | undefined {
    if (++this.#count >= this.#most) return this.next();
    if (this.#count % this.#every !== 0) return undefined;
    if (performance.now() - this.#began < SLICE_MS) return undefined;
    return this.next();
  }

  /** Lets others run now. */
  async next(): Promise<void> {
    await nextTurn();
    this.#count = 0;
    this.#began = performance.now();
  }
}

let begunAt: number | undefined;

/** For work in callbacks, which can't wait: whether more of it may be done in this turn of the event loop. All such work shares a slice. */
export function hasTime(): boolean {
  const now = performance.now();
  if (begunAt === undefined) {
    begunAt = now;
    setImmediate(() => (begunAt = undefined));
  }
  return now - begunAt < SLICE_MS;
}
