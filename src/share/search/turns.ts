/** Lets a few do something at a time; the others wait for their turn, first come, first served. */
export class Turns {
  readonly #limit: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves with the function that ends the turn. Whoever gives up waiting aborts `signal`; the promise then never resolves. */
  take(signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve) => {
      const grant = (): void => {
        this.#waiting.delete(grant);
        this.#taken += 1;
        resolve(once(() => this.#end()));
      };
      if (this.#taken < this.#limit) {
        grant();
        return;
      }
      this.#waiting.add(grant);
      signal.addEventListener('abort', () => this.#waiting.delete(grant), { once: true });
    });
  }

  #end(): void {
    this.#taken -= 1;
    const [next] = this.#waiting;
    next?.();
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
