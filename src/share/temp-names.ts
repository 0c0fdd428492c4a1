import { randomBytes } from 'node:crypto';
import { uploadNameOf } from '../webdav/hidden-names.js';

const NAME_DIGITS = 16;
const POOL_BYTES = 1024;

/**
 * Names of what this process is writing just now, next to where it will be. They are random and used once; while in use, they are
 * neither listed nor found. Another process's names of the same form are plain files (a client may upload that way).
 */
export class TempNames {
  readonly #active = new Set<string>();
  /** Random digits for many names. */
  #pool = '';

  take(): string {
    const name = uploadNameOf(this.#random());
    this.#active.add(name);
    return name;
  }

  #random(): string {
    if (this.#pool === '') this.#pool = randomBytes(POOL_BYTES).toString('hex');
    const digits = this.#pool.slice(0, NAME_DIGITS);
    this.#pool = this.#pool.slice(NAME_DIGITS);
    return digits;
  }

  release(name: string): void {
    this.#active.delete(name);
  }

  isActive(name: string): boolean {
    return this.#active.size > 0 && this.#active.has(name);
  }
}
