import { randomFillSync } from 'node:crypto';
import { uploadName } from '../webdav/hidden-names.js';

const NAME_BYTES = 8;
const POOL_BYTES = 1024;

/**
 * Names of what this process is writing just now, next to where it will be. They are random and used once; while in use, they are
 * neither listed nor found. Another process's names of the same form are plain files (a client may upload that way).
 */
export class TempNames {
  readonly #active = new Set<string>();
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;

  take(): string {
    const name = uploadName(this.#random());
    this.#active.add(name);
    return name;
  }

  /** From a pool: one call for many names. */
  #random(): Uint8Array {
    if (this.#used === POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    this.#used += NAME_BYTES;
    return this.#pool.subarray(this.#used - NAME_BYTES, this.#used);
  }

  release(name: string): void {
    this.#active.delete(name);
  }

  isActive(name: string): boolean {
    return this.#active.size > 0 && this.#active.has(name);
  }
}
