import fs from 'node:fs';
import { errnoCode } from './errors.js';
import type { FileState } from './file-state.js';
import { FolderReader } from './folder-reader.js';
import { at, fromLatin1Name, STORE_NAME, type FsPath } from './fs-path.js';
import { MEMBER_FIELDS, MemberState } from './member-state.js';
import type { SystemCalls } from './options.js';
import { hasStore } from './property-store.js';

export interface Member {
  readonly name: string;
  readonly path: FsPath;
  /** Undefined: it may be listed, but not looked at. */
  readonly state: FileState | undefined;
  /** False: it has no dead properties for sure. */
  readonly mayHaveProperties: boolean;
}

/** As much as one read of the folder can give, and some; see members.c. */
const BATCH = 2048;
export const NAMES_BYTES = 64 * 1024;
/** How long one call may hold the event loop. */
export const LIMIT_MS = 4;

const OPEN_FOLDER = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/** The members of an open folder with their states, in the folder's own order. */
export interface MemberReader {
  readonly fd: number;
  next(): Member | undefined;
  close(): void;
}

/** `withAttributes`: find out, too, which members have extended attributes. */
export function readMembers(
  path: FsPath,
  calls: SystemCalls | undefined,
  withAttributes: boolean,
): MemberReader {
  return hasBatches(calls) ? new BatchReader(path, calls, withAttributes) : new SingleReader(path);
}

/** Without the addon: a system call, a path and an object for each. */
class SingleReader implements MemberReader {
  readonly #folder: FolderReader;

  constructor(path: FsPath) {
    this.#folder = new FolderReader(path);
  }

  get fd(): number {
    return this.#folder.fd;
  }

  next(): Member | undefined {
    for (let entry = this.#folder.next(); entry; entry = this.#folder.next()) {
      const { name, path } = entry;
      const state = lookAt(path);
      if (state !== 'gone') return { name, path, state, mayHaveProperties: true };
    }
    return undefined;
  }

  close(): void {
    this.#folder.close();
  }
}

/** What one read of a folder gave. */
export class MemberBatch {
  readonly #fd: number;
  readonly #hasStore: boolean;
  readonly #table: BigInt64Array;
  readonly #names: readonly string[];
  #row = 0;

  /** `bytes` may be used again; `table` is kept, as the states lie in it. */
  constructor(folder: OpenFolder, bytes: Buffer, table: BigInt64Array, count: number) {
    this.#fd = folder.fd;
    this.#hasStore = folder.hasStore;
    this.#table = table;
    // One text for all names: cheaper than one call for each.
    const end = count === 0 ? 0 : MemberState.nameEnd(table, count - 1);
    this.#names = count === 0 ? [] : bytes.toString('latin1', 0, end).split('\0');
  }

  next(): Member | undefined {
    while (this.#row < this.#names.length) {
      const row = this.#row++;
      if (this.#names[row] === STORE_NAME) continue;
      const name = fromLatin1Name(this.#names[row]!);
      const state = new MemberState(this.#table, row);
      if (!state.isUnknown) return new KnownMember(this.#fd, name, state, this.#hasStore);
      const path = at(this.#fd, name);
      // Perhaps only this way of asking is barred (a sandbox); if it is the file itself, that is seen again.
      const other = lookAt(path);
      if (other !== 'gone') return { name, path, state: other, mayHaveProperties: true };
    }
    return undefined;
  }
}

export interface OpenFolder {
  readonly fd: number;
  /** Properties of members are kept beside them. */
  readonly hasStore: boolean;
}

export function openFolder(path: FsPath): OpenFolder {
  const fd = fs.openSync(path, OPEN_FOLDER);
  return { fd, hasStore: hasStore(fd) };
}

/** Room for a batch of so many at most. */
export function newTable(rows = BATCH): BigInt64Array {
  return new BigInt64Array(rows * MEMBER_FIELDS);
}

type BatchCalls = Pick<Required<SystemCalls>, 'readMembers'>;

function hasBatches(calls: Partial<BatchCalls> | undefined): calls is BatchCalls {
  return calls?.readMembers !== undefined;
}

class BatchReader implements MemberReader {
  readonly #folder: OpenFolder;
  readonly #calls: BatchCalls;
  readonly #withAttributes: boolean;
  readonly #bytes = Buffer.allocUnsafe(NAMES_BYTES);
  #batch: MemberBatch | undefined;
  #ended = false;
  #closed = false;

  constructor(path: FsPath, calls: BatchCalls, withAttributes: boolean) {
    this.#folder = openFolder(path);
    this.#calls = calls;
    this.#withAttributes = withAttributes;
  }

  get fd(): number {
    return this.#folder.fd;
  }

  next(): Member | undefined {
    for (;;) {
      const member = this.#batch?.next();
      if (member || this.#ended) return member;
      this.#fill();
    }
  }

  #fill(): void {
    const table = newTable();
    const { fd } = this.#folder;
    const result = this.#calls.readMembers(fd, this.#bytes, table, this.#withAttributes, LIMIT_MS);
    this.#ended = result < 0;
    this.#batch = new MemberBatch(this.#folder, this.#bytes, table, countOf(result));
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    fs.closeSync(this.#folder.fd);
  }
}

/** The addon says by the one's complement that there are no more. */
export function countOf(result: number): number {
  return result < 0 ? ~result : result;
}

class KnownMember implements Member {
  readonly name: string;
  readonly state: MemberState;
  readonly #fd: number;
  readonly #hasStore: boolean;

  constructor(fd: number, name: string, state: MemberState, hasStore: boolean) {
    this.#fd = fd;
    this.#hasStore = hasStore;
    this.name = name;
    this.state = state;
  }

  /** Made only for who needs it. */
  get path(): FsPath {
    return at(this.#fd, this.name);
  }

  get mayHaveProperties(): boolean {
    // A folder keeps its own in itself.
    return this.state.mayHaveAttributes || this.#hasStore || this.state.isDirectory();
  }
}

function lookAt(path: FsPath): FileState | 'gone' | undefined {
  try {
    return fs.lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? 'gone';
  } catch (error) {
    if (errnoCode(error) === 'EACCES') return undefined;
    throw error;
  }
}
