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
/** Of renameat2(2). */
const RENAME_NOREPLACE = 1;
/** Memory of its own for each state or small file costs as much as a system call: it comes in pieces of this size. */
const POOL_ROWS = 64;
const POOL_BYTES = 64 * 1024;

/** A name in an open folder, which is the caller's to close. */
export interface Found {
  readonly fd: number;
  readonly stat: FileState | undefined;
}

/** A new file, and what another name was once its content was there. */
export interface Created {
  readonly fd: number;
  readonly other: FileState | undefined;
  /** Its own state, where it was had. */
  readonly own: FileState | undefined;
}

export interface OpenName {
  readonly name: string;
  readonly fd: number;
}

export class FolderCalls {
  readonly #calls: SystemCalls | undefined;
  #rows = new BigInt64Array(0);
  /** Of it, elements. */
  #rowsTaken = 0;
  #bytes = Buffer.alloc(0);

  constructor(calls: SystemCalls | undefined) {
    this.#calls = calls;
  }

  /** Undefined: nothing is there. '' is the folder itself. */
  stat(folder: number, name: string): FileState | undefined {
    const row = this.#takeRows(1);
    try {
      const found = this.#calls?.statAt?.(folder, bytesOf(name), row);
      if (found !== undefined) return found ? new MemberState(row, 0) : undefined;
    } catch (error) {
      // A time that the row has no room for.
      if (errnoCode(error) !== 'EOVERFLOW') throw error;
    }
    return fs.lstatSync(at(folder, name), { bigint: true, throwIfNoEntry: false });
  }

  /**
   * The folder that the names lead to, one by one, if there is no symbolic link among them, and what `name` is in it. Undefined: that
   * is not to be had by one call.
   */
  find(folder: number, names: readonly string[], name: string): Found | undefined {
    if (!this.#calls?.findBeneath) return undefined;
    const row = this.#takeRows(1);
    let fd: number;
    try {
      const path = bytesOf(names.join('/'));
      fd = this.#calls.findBeneath(folder, path, PIN_FOLDER, bytesOf(name), row);
    } catch {
      // Who goes step by step finds out why, or has another kernel.
      return undefined;
    }
    try {
      return { fd, stat: this.#seen(row, fd, name) };
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  /**
   * Makes a new file, open for reading and writing behind its content; nothing when it fails. EEXIST: there is something. Then looks at
   * `other` ('' never is there), and where there is such a file, at the new one.
   */
  create(folder: number, name: string, content: Uint8Array, other: string): Created {
    if (!this.#calls?.createAt) {
      const fd = createByPath(at(folder, name), content);
      return { fd, other: other === '' ? undefined : this.stat(folder, other), own: undefined };
    }
    const rows = this.#takeRows(2);
    const [bytes, otherBytes] = [bytesOf(name), bytesOf(other)];
    const fd = this.#calls.createAt(folder, bytes, NEW_FILE_MODE, content, otherBytes, rows);
    return { fd, other: this.#seen(rows, folder, other), own: told(rows, 1) };
  }

  /** Gives the state of what was renamed, where it was had. Its descriptor is closed then: nothing fails any more. */
  rename(folder: number, from: OpenName, to: string): FileState | undefined {
    if (this.#calls?.renameAt) {
      const row = this.#takeRows(1);
      this.#calls.renameAt(folder, bytesOf(from.name), bytesOf(to), 0, from.fd, '', row);
      return told(row, 0);
    }
    fs.renameSync(at(folder, from.name), at(folder, to));
    fs.closeSync(from.fd);
    return undefined;
  }

  /**
   * As `rename`, if there is no `to` (EEXIST). Is there something of the name `beside`? Undefined: that is not to be had by one call, and
   * nothing has happened.
   */
  renameExclusively(
    folder: number,
    from: OpenName,
    to: string,
    beside: string,
  ): { stat: FileState | undefined; isBeside: boolean } | undefined {
    if (!this.#calls?.renameAt) return undefined;
    const [row, flags] = [this.#takeRows(1), RENAME_NOREPLACE];
    const [name, toBytes] = [bytesOf(from.name), bytesOf(to)];
    try {
      const isBeside = this.#calls.renameAt(folder, name, toBytes, flags, from.fd, beside, row);
      return { stat: told(row, 0), isBeside };
    } catch (error) {
      // The file system doesn't know the flag.
      if (errnoCode(error) === 'EINVAL') return undefined;
      throw error;
    }
  }

  /** All of a regular file of just this size, and its state before it was read. Undefined: it is another, or must be had otherwise. */
  readFile(
    folder: number,
    name: string,
    size: number,
  ): { bytes: Buffer; stat: FileState } | undefined {
    if (!this.#calls?.readFileAt) return undefined;
    const bytes = this.#takeBytes(size);
    const row = this.#takeRows(1);
    const count = this.#calls.readFileAt(folder, bytesOf(name), bytes, row);
    return count < 0 ? undefined : { bytes, stat: new MemberState(row, 0) };
  }

  /** What a call has told of a name in its first row. */
  #seen(rows: BigInt64Array, folder: number, name: string): FileState | undefined {
    const state = new MemberState(rows, 0);
    if (state.isMissing) return undefined;
    return state.isUnknown ? this.stat(folder, name) : state;
  }

  #takeRows(count: number): BigInt64Array {
    const fields = count * MEMBER_FIELDS;
    if (this.#rowsTaken + fields > this.#rows.length) {
      this.#rows = new BigInt64Array(POOL_ROWS * MEMBER_FIELDS);
      this.#rowsTaken = 0;
    }
    this.#rowsTaken += fields;
    return this.#rows.subarray(this.#rowsTaken - fields, this.#rowsTaken);
  }

  #takeBytes(size: number): Buffer {
    if (size > POOL_BYTES / 4) return Buffer.allocUnsafeSlow(size);
    if (size > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(POOL_BYTES);
    const bytes = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return bytes;
  }
}

/** The state in a row; undefined where there is none, or it could not be had. */
function told(rows: BigInt64Array, row: number): FileState | undefined {
  const state = new MemberState(rows, row);
  return state.isMissing || state.isUnknown ? undefined : state;
}

function createByPath(path: FsPath, content: Uint8Array): number {
  const fd = fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, NEW_FILE_MODE);
  try {
    for (let done = 0; done < content.length;) done += fs.writeSync(fd, content, done);
    return fd;
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
