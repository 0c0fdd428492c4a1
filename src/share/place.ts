import fs from 'node:fs';
import { at, ofFd, PIN, type FsPath } from './fs-path.js';
import { ShareError } from './errors.js';
import type { FolderCalls, OpenName } from './folder-calls.js';
import type { FileState } from './file-state.js';

export type Kind = 'file' | 'collection' | 'link' | 'special' | 'missing';

export function kindOf(stat: FileState | undefined): Kind {
  if (!stat) return 'missing';
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'collection';
  return stat.isSymbolicLink() ? 'link' : 'special';
}

/**
 * THE way to open a file. First without touching it (O_PATH), then once it is known to be no FIFO or device: opening those has effects,
 * and may never return.
 */
export function openRegularFile(
  path: FsPath,
  flags: number = fs.constants.O_RDONLY,
): { fd: number; stat: FileState } {
  const pin = fs.openSync(path, PIN);
  try {
    const kind = kindOf(fs.fstatSync(pin, { bigint: true }));
    if (kind !== 'file') throw new ShareError(403, 'not a regular file');
    const fd = fs.openSync(ofFd(pin), flags);
    return { fd, stat: fs.fstatSync(fd, { bigint: true }) };
  } finally {
    fs.closeSync(pin);
  }
}

/**
 * A name in an open folder, found by `Root.locate`. Owns the folder's descriptor unless it is the root's. The name may come, go and
 * change its kind at any time; the folder stays the one that was found inside the root.
 */
export class Place {
  readonly parentFd: number;
  /** '' for a folder that is meant itself (the root). */
  readonly name: string;
  /** As of the last `refresh`; never that of a link's target. */
  stat: FileState | undefined;
  readonly #calls: FolderCalls;
  #owned: boolean;
  #parent: FileState | undefined;

  constructor(
    calls: FolderCalls,
    parentFd: number,
    name: string,
    owned: boolean,
    stat: FileState | undefined,
  ) {
    this.#calls = calls;
    this.parentFd = parentFd;
    this.name = name;
    this.#owned = owned;
    this.stat = stat;
  }

  get path(): FsPath {
    return at(this.parentFd, this.name);
  }

  get kind(): Kind {
    return kindOf(this.stat);
  }

  /** The same for the same folder by whatever path it was found. */
  parentIdentity(): { dev: bigint; ino: bigint } {
    return (this.#parent ??= fs.fstatSync(this.parentFd, { bigint: true }));
  }

  refresh(): FileState | undefined {
    this.stat = this.#calls.stat(this.parentFd, this.name);
    return this.stat;
  }

  /** The state, where it must be there. */
  existing(): FileState {
    if (!this.stat) throw new ShareError(404, 'no such resource');
    return this.stat;
  }

  /** Another name in the same folder. */
  sibling(name: string): FsPath {
    return at(this.parentFd, name);
  }

  /** Makes a file of another name in the same folder. If there was something at this place, refreshes it, and tells the file's own state. */
  createSibling(name: string, content: Uint8Array): { fd: number; stat: FileState | undefined } {
    const other = this.stat ? this.name : '';
    const made = this.#calls.create(this.parentFd, name, content, other);
    this.stat = made.other;
    return { fd: made.fd, stat: made.own };
  }

  /** The sibling takes the place, and what was there is gone. Its descriptor is closed then. Refreshes, where the state was had. */
  takeSibling(sibling: OpenName): void {
    this.stat = this.#calls.rename(this.parentFd, sibling, this.name);
  }

  /**
   * As `takeSibling`, if nothing is there (EEXIST). Is there something of the name `beside`? Undefined: that can't be done by one call,
   * and nothing has happened.
   */
  takeSiblingIfFree(sibling: OpenName, beside: string): boolean | undefined {
    const taken = this.#calls.renameExclusively(this.parentFd, sibling, this.name, beside);
    if (taken) this.stat = taken.stat;
    return taken?.isBeside;
  }

  /** Opens the regular file for reading. */
  openFile(): { fd: number; stat: FileState } {
    return openRegularFile(this.path);
  }

  /** All of a regular file that is as long as it was at the last `refresh`, by one call; undefined: it isn't, or there is no such call. */
  readWhole(): { bytes: Buffer; stat: FileState } | undefined {
    return this.#calls.readFile(this.parentFd, this.name, Number(this.existing().size));
  }

  /** Pins what is there now, so that a change of mode or times hits that very inode. The caller closes it. */
  pin(): { fd: number; stat: FileState } {
    const fd = fs.openSync(this.path, PIN);
    try {
      return { fd, stat: fs.fstatSync(fd, { bigint: true }) };
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  /** Idempotent. */
  close(): void {
    if (!this.#owned) return;
    this.#owned = false;
    fs.closeSync(this.parentFd);
  }
}
