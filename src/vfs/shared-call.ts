/**
 * One request for all who ask the same at the same time. Each waiter may give up alone; the request itself is aborted when the last
 * one has.
 */
export class SharedCalls<K> {
  readonly #running = new Map<
    K,
    { waiters: number; controller: AbortController; promise: Promise<unknown> }
  >();

  /** REQUIRES: calls with the same key return the same type. */
  run<T>(
    key: K,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    let call = this.#running.get(key);
    if (call === undefined) {
      const controller = new AbortController();
      const promise = start(controller.signal).finally(() => {
        if (this.#running.get(key)?.controller === controller) this.#running.delete(key);
      });
      // Waiters see the rejection; when all of them left, nobody does.
      promise.catch(() => undefined);
      call = { waiters: 0, controller, promise };
      this.#running.set(key, call);
    }
    const shared = call;
    shared.waiters += 1;
    const leave = (): void => {
      shared.waiters -= 1;
      if (shared.waiters > 0) return;
      // A later caller must not join a request that is being aborted.
      if (this.#running.get(key) === shared) this.#running.delete(key);
      shared.controller.abort();
    };
    return withSignal(shared.promise as Promise<T>, signal, leave);
  }

  /** Forgets what is running, so that the next call asks anew. */
  forget(key: K): void {
    this.#running.delete(key);
  }
}

/** The promise, or `signal.reason` if that comes first. `onAbort` runs only in that case. */
export function withSignal<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  onAbort: () => void = () => undefined,
): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
      onAbort();
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener('abort', abort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', abort);
        reject(error);
      },
    );
  });
}
