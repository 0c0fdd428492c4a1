import { randomBytes } from 'node:crypto';
import { uploadName } from '../webdav/hidden-names.js';

/**
 * Names of what this process is writing just now, next to where it will be. They are random and used once; while in use, they are
 * neither listed nor found. Another process's names of the same form are plain files (a client may upload that way).
 */
export class TempNames {
  readonly #active = new Set<string>();

  take(): string {
    const name = uploadName(randomBytes(8));
    this.#active.add(name);
    return name;
  }

  release(name: string): void {
    this.#active.delete(name);
  }

  isActive(name: string): boolean {
    return this.#active.size > 0 && this.#active.has(name);
  }
}
