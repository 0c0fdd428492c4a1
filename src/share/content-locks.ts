import type { FileState } from './file-state.js';

type Identity = Pick<FileState, 'dev' | 'ino'>;

/** A read that takes several turns of the loop and must be of one version. */
export interface Reading {
  /** The first byte that changes in place may have touched which began since the reading did; Infinity: there was none. */
  readonly changedFrom: number;
  close(): void;
}

/**
 * Files whose content is being changed in place, by inode, as a file may have several names. The clock of a file system is too coarse
 * to tell by a file's times that it was written while it was read; what goes through this server is told here.
 *
 * INVARIANT: a change has the file for itself, apart from readings, which it spoils.
 */
export class ContentLocks {
  readonly #changes = new Map<string, Promise<void>>();
  readonly #copies = new Map<string, Set<Promise<void>>>();
  readonly #readings = new Map<string, Set<{ changedFrom: number }>>();

  /** Undefined: nobody changes it in this turn of the loop. Otherwise look again when the promise resolves. */
  beingChanged(file: Identity): Promise<void> | undefined {
    return this.#changes.size === 0 ? undefined : this.#changes.get(keyOf(file));
  }

  /** Undefined: it may be changed in this turn of the loop. Otherwise look again when the promise resolves. */
  inUse(file: Identity): Promise<void> | undefined {
    const copies = this.#copies.size === 0 ? undefined : this.#copies.get(keyOf(file));
    return this.beingChanged(file) ?? copies?.values().next().value;
  }

  /** `from`: first byte that may become another one. REQUIRES: the file is not in use in this turn. */
  async change(file: Identity, from: number, work: () => Promise<void>): Promise<void> {
    const key = keyOf(file);
    for (const reading of this.#readings.get(key) ?? []) {
      reading.changedFrom = Math.min(reading.changedFrom, from);
    }
    const [changed, release] = latch();
    this.#changes.set(key, changed);
    try {
      await work();
    } finally {
      this.#changes.delete(key);
      release();
    }
  }

  /** Waits for a change, and keeps the next one waiting until `work` settles. */
  async copy(file: Identity, work: () => Promise<void>): Promise<void> {
    for (let busy = this.beingChanged(file); busy; busy = this.beingChanged(file)) await busy;
    const key = keyOf(file);
    const [copied, release] = latch();
    const copies = this.#copies.get(key) ?? new Set();
    this.#copies.set(key, copies.add(copied));
    try {
      await work();
    } finally {
      copies.delete(copied);
      if (copies.size === 0) this.#copies.delete(key);
      release();
    }
  }

  /** REQUIRES: nobody changes it in this turn. */
  read(file: Identity): Reading {
    const key = keyOf(file);
    const state = { changedFrom: Infinity };
    const readings = this.#readings.get(key) ?? new Set();
    this.#readings.set(key, readings.add(state));
    return {
      get changedFrom() {
        return state.changedFrom;
      },
      close: () => {
        readings.delete(state);
        if (readings.size === 0 && this.#readings.get(key) === readings) this.#readings.delete(key);
      },
    };
  }
}

function keyOf({ dev, ino }: Identity): string {
  return `${dev}:${ino}`;
}

function latch(): [promise: Promise<void>, release: () => void] {
  let release!: () => void;
  const promise = new Promise<void>((resolve) => (release = resolve));
  return [promise, release];
}
