import type { Place } from './place.js';

export interface NameChange {
  readonly place: Place;
  /** Resolves when it has come to its end. */
  readonly done: Promise<void>;
}

/**
 * Names that a system call in the thread pool is changing. A rename over a file may take long (ext4 first writes the new content out,
 * and then frees the old), so it can't hold the event loop; but nobody may act between the check before it and its end.
 *
 * INVARIANT: a request that changes a name has, since its last check in the same turn of the loop, not been overtaken by another.
 */
export class NameLocks {
  readonly #held = new Map<string, NameChange>();

  /** Undefined: the names are free in this turn of the loop. Otherwise look again when the promise resolves. */
  inUse(...places: readonly Place[]): Promise<void> | undefined {
    if (this.#held.size === 0) return undefined;
    return places.map((place) => this.#held.get(keyOf(place))?.done).find(Boolean);
  }

  inFlight(): readonly NameChange[] {
    return [...this.#held.values()];
  }

  /** REQUIRES: the name is free in this turn. It is held until `work` settles. */
  async hold<T>(place: Place, work: () => Promise<T>): Promise<T> {
    const key = keyOf(place);
    let release!: () => void;
    const done = new Promise<void>((resolve) => (release = resolve));
    this.#held.set(key, { place, done });
    try {
      return await work();
    } finally {
      this.#held.delete(key);
      release();
    }
  }
}

function keyOf(place: Place): string {
  const { dev, ino } = place.parentIdentity();
  return `${dev}:${ino}/${place.name}`;
}
