/** Reads that wait until the bytes before an offset have arrived. */
export class Waiters {
  #waiting = new Set<Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves when `arrived` reaches `end`; rejects with the failure, or with `signal.reason` (the transfer goes on). */
  async wait(end: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onAbort = (): void => settle(signal.reason as Error);
      const waiter: Waiter = { end, settle };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  arrived(end: number): void {
    for (const waiter of this.#waiting) if (waiter.end <= end) waiter.settle();
  }

  fail(error: unknown): void {
    for (const waiter of [...this.#waiting]) waiter.settle(error as Error);
  }
}

interface Waiter {
  readonly end: number;
  settle(error?: Error): void;
}
