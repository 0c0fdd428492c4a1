import { setTimeout as delay } from 'node:timers/promises';

const MIN_MS = 50;
const MAX_MS = 1000;

/** Waits between tries: 50 ms, doubled each time up to 1 s. */
export class BackOff {
  #nextMs = MIN_MS;

  /** Rejects with `signal.reason`. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(ms * 2, MAX_MS);
    await delay(ms, undefined, { signal }).catch(() => {
      // timers/promises rejects with an AbortError of its own.
      signal.throwIfAborted();
    });
  }

  reset(): void {
    this.#nextMs = MIN_MS;
  }
}
