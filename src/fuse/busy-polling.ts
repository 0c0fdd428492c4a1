/**
 * Whether to look for the next request for a moment after replies, instead of going to sleep at once: to wake a halted CPU takes longer
 * than most programs need to come back with their next call, in a virtual machine above all.
 *
 * Only while it pays: after a time in vain one chance is left out, and with each further one twice as many, up to MAX_SKIPPED. So it costs
 * next to nothing where the caller has other work to do between its calls, and nothing where there are no calls.
 */
import { performance } from 'node:perf_hooks';

const MAX_SKIPPED = 1024;
/** Of the time that was meant to be spent. More, and others want this CPU, who get it at each look: asleep, the next request would find us sooner. */
const MAX_TIMES = 4;

export class BusyPolling {
  readonly #spinUs: number;
  readonly #nowMs: () => number;
  #begunMs = 0;
  #skip = 0;
  #left = 0;

  /** `spinUs` 0: never. */
  constructor(spinUs: number, nowMs: () => number = () => performance.now()) {
    this.#spinUs = spinUs;
    this.#nowMs = nowMs;
  }

  /** Replies were sent: for how long to look now, µs. `end` is to be called then, unless it is 0. */
  begin(): number {
    if (this.#left > 0) {
      this.#left -= 1;
      return 0;
    }
    if (this.#spinUs > 0) this.#begunMs = this.#nowMs();
    return this.#spinUs;
  }

  /** Was there a request? */
  end(found: boolean): void {
    const tookUs = (this.#nowMs() - this.#begunMs) * 1000;
    const paid = found && tookUs <= this.#spinUs * MAX_TIMES;
    this.#skip = paid ? 0 : Math.min(MAX_SKIPPED, this.#skip * 2 + 1);
    this.#left = this.#skip;
  }
}
