/** Reads that wait until the bytes before an offset have arrived. */
export class Waiters {
  #waiting = new Set<Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves when `arrived` reaches `end`; rejects with the failure, or with `signal.reason` (the transfer goes on). */
  wait(end: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error as Error);
      };
      const onAbort = (): void => settle(signal.reason);
      const waiter: Waiter = { end, settle };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  arrived(end: number): void {
    for (const waiter of this.#waiting) if (waiter.end <= end) waiter.settle();
  }

  fail(error: unknown): void {
    for (const waiter of [...this.#waiting]) waiter.settle(error);
  }
}

interface Waiter {
  readonly end: number;
  settle(error?: unknown): void;
}
