import fs from 'node:fs';
import { at, fromLatin1Name, ofFd, PIN_FOLDER, STORE_NAME, type FsPath } from './fs-path.js';
import type { FileState } from './file-state.js';

export interface FolderEntry {
  readonly name: string;
  readonly path: FsPath;
  /** As the folder says it; a file system that doesn't say gives false. */
  readonly isFolder: boolean;
}

/** Names per system call; a slice of a listing stays short however long the folder is. */
const BATCH = 512;

/**
 * The names of an open folder, one after another, in the folder's own order, without the share's own one. Holds the folder by descriptor: what is swapped in
 * for it meanwhile isn't seen.
 */
export class FolderReader {
  readonly fd: number;
  readonly #dir: fs.Dir;
  #closed = false;

  constructor(path: FsPath) {
    this.fd = fs.openSync(path, PIN_FOLDER);
    try {
      // node:fs accepts every encoding that Buffer has; its types know of fewer.
      const encoding = 'latin1' as BufferEncoding;
      this.#dir = fs.opendirSync(ofFd(this.fd), { encoding, bufferSize: BATCH });
    } catch (error) {
      fs.closeSync(this.fd);
      throw error;
    }
  }

  next(): FolderEntry | undefined {
    let entry = this.#dir.readSync();
    if (entry?.name === STORE_NAME) entry = this.#dir.readSync();
    if (!entry) return undefined;
    const name = fromLatin1Name(entry.name);
    return { name, path: at(this.fd, name), isFolder: entry.isDirectory() };
  }

  /** Undefined when the name has gone since. */
  stat(entry: FolderEntry): FileState | undefined {
    return fs.lstatSync(entry.path, { bigint: true, throwIfNoEntry: false });
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#dir.closeSync();
    fs.closeSync(this.fd);
  }
}
