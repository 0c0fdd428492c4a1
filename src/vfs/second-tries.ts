/**
 * An open fails with ESTALE when the name is given to another file meanwhile. The kernel then tries once more, and fails for good where that
 * meets the next such change. So after a change that an open has met, the next one waits until the name has been opened.
 */
import type { Node } from './node.js';

/** The kernel tries at once. Its caller may be gone. */
const MAX_WAIT_MS = 100;

interface Expected {
  readonly promise: Promise<void>;
  readonly end: () => void;
}

export class SecondTries {
  /** Opens under way, by name. */
  readonly #opening = new Map<string, number>();
  readonly #expected = new Map<string, Expected>();

  /** Runs an open of a name. */
  async watch<T>(parent: Node, name: string, open: () => Promise<T>): Promise<T> {
    const key = keyOf(parent, name);
    this.#opening.set(key, (this.#opening.get(key) ?? 0) + 1);
    try {
      const opened = await open();
      this.#expected.get(key)?.end();
      return opened;
    } finally {
      const others = this.#opening.get(key)! - 1;
      if (others > 0) this.#opening.set(key, others);
      else this.#opening.delete(key);
    }
  }

  /** The name leads to another file, or to none, from now on. */
  changed(parent: Node, name: string): void {
    if (this.#opening.has(keyOf(parent, name))) this.expect(parent, name);
  }

  /** An open came too late for the file that the name has led to. */
  expect(parent: Node, name: string): void {
    const key = keyOf(parent, name);
    if (this.#expected.has(key)) return;
    let end = (): void => undefined;
    const promise = new Promise<void>((resolve) => {
      end = (): void => {
        clearTimeout(timer);
        this.#expected.delete(key);
        resolve();
      };
    });
    const timer = setTimeout(end, MAX_WAIT_MS);
    this.#expected.set(key, { promise, end });
  }

  /** To wait for before the name is changed. */
  of(parent: Node, name: string): Promise<void> | undefined {
    return this.#expected.get(keyOf(parent, name))?.promise;
  }
}

function keyOf(parent: Node, name: string): string {
  return `${parent.id}/${name}`;
}
