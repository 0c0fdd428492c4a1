/**
 * System calls on names in an open folder: by the addon where it has them, else on paths through /proc (fs-path.ts), which costs two to
 * four times as much. Both alike never follow a symbolic link as the last name.
 */
import fs from 'node:fs';
import { encodeName } from '../names.js';
import { errnoCode } from './errors.js';
import type { FileState } from './file-state.js';
import { at, PIN_FOLDER, unlinkIfThere, type FsPath } from './fs-path.js';
import { MEMBER_FIELDS, MemberState } from './member-state.js';
import type { SystemCalls } from './options.js';

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
/** Cut by the umask of the process, as for every new file. */
const NEW_FILE_MODE = 0o666;
/** Memory of its own for each state or small file costs as much as a system call: it comes in pieces of this size. */
const POOL_ROWS = 64;
const POOL_BYTES = 64 * 1024;

export class FolderCalls {
  readonly #calls: SystemCalls | undefined;
  #rows = new BigInt64Array(0);
  #bytes = Buffer.alloc(0);

  constructor(calls: SystemCalls | undefined) {
    this.#calls = calls;
  }

  /** Undefined: nothing is there. '' is the folder itself. */
  stat(folder: number, name: string): FileState | undefined {
    const row = this.#takeRow();
    try {
      const found = this.#calls?.statAt?.(folder, bytesOf(name), row);
      if (found !== undefined) return found ? new MemberState(row, 0) : undefined;
    } catch (error) {
      // A time that the row has no room for.
      if (errnoCode(error) !== 'EOVERFLOW') throw error;
    }
    return fs.lstatSync(at(folder, name), { bigint: true, throwIfNoEntry: false });
  }

  /** The folder that the names lead to, one by one, if there is no symbolic link among them. Undefined: that is not to be had by one call. */
  openBelow(folder: number, names: readonly string[]): number | undefined {
    try {
      return this.#calls?.openBeneath?.(folder, bytesOf(names.join('/')), PIN_FOLDER);
    } catch {
      // Who goes step by step finds out why, or has another kernel.
      return undefined;
    }
  }

  /** Makes a new file, open for reading and writing behind its content; nothing when it fails. EEXIST: there is something. */
  create(folder: number, name: string, content: Uint8Array): { fd: number; stat: FileState } {
    if (!this.#calls?.createAt) return createByPath(at(folder, name), content);
    const row = this.#takeRow();
    const fd = this.#calls.createAt(folder, bytesOf(name), NEW_FILE_MODE, content, row);
    return { fd, stat: new MemberState(row, 0) };
  }

  /** Gives the state of `to` afterwards. */
  rename(folder: number, from: string, to: string): FileState | undefined {
    if (this.#calls?.renameAt) {
      const row = this.#takeRow();
      const told = this.#calls.renameAt(folder, bytesOf(from), bytesOf(to), row);
      if (told) return new MemberState(row, 0);
    } else {
      fs.renameSync(at(folder, from), at(folder, to));
    }
    return this.stat(folder, to);
  }

  /** All of a regular file of just this size, and its state before it was read. Undefined: it is another, or must be had otherwise. */
  readFile(
    folder: number,
    name: string,
    size: number,
  ): { bytes: Buffer; stat: FileState } | undefined {
    if (!this.#calls?.readFileAt) return undefined;
    const bytes = this.#takeBytes(size);
    const row = this.#takeRow();
    const count = this.#calls.readFileAt(folder, bytesOf(name), bytes, row);
    return count < 0 ? undefined : { bytes, stat: new MemberState(row, 0) };
  }

  #takeRow(): BigInt64Array {
    if (this.#rows.length === 0) this.#rows = new BigInt64Array(POOL_ROWS * MEMBER_FIELDS);
    const row = this.#rows.subarray(0, MEMBER_FIELDS);
    this.#rows = this.#rows.subarray(MEMBER_FIELDS);
    return row;
  }

  #takeBytes(size: number): Buffer {
    if (size > POOL_BYTES / 4) return Buffer.allocUnsafeSlow(size);
    if (size > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(POOL_BYTES);
    const bytes = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return bytes;
  }
}

function createByPath(path: FsPath, content: Uint8Array): { fd: number; stat: FileState } {
  const fd = fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, NEW_FILE_MODE);
  try {
    for (let done = 0; done < content.length;) done += fs.writeSync(fd, content, done);
    return { fd, stat: fs.fstatSync(fd, { bigint: true }) };
  } catch (error) {
    fs.closeSync(fd);
    unlinkIfThere(path);
    throw error;
  }
}

/** Bytes where the name is no UTF-8. */
function bytesOf(name: string): string | Buffer {
  return name.isWellFormed() ? name : encodeName(name);
}
