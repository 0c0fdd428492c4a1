import type { Place } from './place.js';

/**
 * Names that a system call in the thread pool is changing. A rename over a file may take long (ext4 first writes the new content out,
 * and then frees the old), so it can't hold the event loop; but nobody may act between the check before it and its end.
 *
 * INVARIANT: a request that changes a name has, since its last check in the same turn of the loop, not been overtaken by another.
 */
export class NameLocks {
  readonly #held = new Map<string, Promise<void>>();

  /** Resolves in a turn of the loop in which the name is free. */
  async free(place: Place): Promise<void> {
    const key = keyOf(place);
    for (let held = this.#held.get(key); held; held = this.#held.get(key)) await held;
  }

  /** REQUIRES: the name is free in this turn. It is held until `work` settles. */
  async hold(place: Place, work: () => Promise<void>): Promise<void> {
    const key = keyOf(place);
    let release!: () => void;
    this.#held.set(key, new Promise((resolve) => (release = resolve)));
    try {
      await work();
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
