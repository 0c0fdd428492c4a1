import fs from 'node:fs';
import { encodeName } from '../names.js';
import type { FsPath } from './fs-path.js';
import type { FileState } from './file-state.js';

/** Files with several names that one copy of a tree keeps in mind. Ours; those beyond are copied name by name. */
const MAX_FILES = 100_000;

interface Copied {
  readonly names: readonly string[];
  readonly dev: bigint;
  readonly ino: bigint;
}

/** Within the copy of a tree: a file that has several names in it has them in the copy, too (RFC 5842 section 2.3). */
export class LinkedCopies {
  readonly #top: FsPath;
  readonly #copies = new Map<string, Copied>();

  /** `top`: where the copy of the tree is. */
  constructor(top: FsPath) {
    this.#top = top;
  }

  /** Makes `to` a further name of the copy of `source`, where there is one. */
  link(source: FileState, to: FsPath): boolean {
    if (source.nlink < 2n) return false;
    const copied = this.#copies.get(keyOf(source));
    if (!copied) return false;
    try {
      fs.linkSync(this.#pathOf(copied.names), to);
    } catch {
      // Gone, or too many names: then it is copied.
      return false;
    }
    // The way there is not held open: what somebody put in the place of a folder on it leads to another file.
    const { dev, ino } = fs.lstatSync(to, { bigint: true });
    if (dev === copied.dev && ino === copied.ino) return true;
    fs.unlinkSync(to);
    return false;
  }

  /** `to`, with these names below the top, is a copy of `source`. */
  note(source: FileState, names: readonly string[], to: FsPath): void {
    if (source.nlink < 2n || this.#copies.size >= MAX_FILES) return;
    const { dev, ino } = fs.lstatSync(to, { bigint: true });
    this.#copies.set(keyOf(source), { names, dev, ino });
  }

  #pathOf(names: readonly string[]): Buffer {
    return Buffer.concat([Buffer.from(this.#top), Buffer.from('/'), encodeName(names.join('/'))]);
  }
}

function keyOf({ dev, ino }: FileState): string {
  return `${dev}:${ino}`;
}
