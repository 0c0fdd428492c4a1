import fs from 'node:fs';
import { errnoCode } from './errors.js';
import type { FileState } from './file-state.js';
import { FolderReader } from './folder-reader.js';
import { at, fromLatin1Name, STORE_NAME, type FsPath } from './fs-path.js';
import { MEMBER_FIELDS, MemberState } from './member-state.js';
import type { AttributeCalls } from './options.js';
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
const NAMES_BYTES = 64 * 1024;
/** How long one call may hold the event loop. */
const LIMIT_MS = 4;

const OPEN_FOLDER = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/** The members of an open folder with their states, in the folder's own order. */
export interface MemberReader {
  next(): Member | undefined;
  close(): void;
}

/** `withAttributes`: find out, too, which members have extended attributes. */
export function readMembers(
  path: FsPath,
  calls: AttributeCalls | undefined,
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

type BatchCalls = Pick<Required<AttributeCalls>, 'readMembers'>;

function hasBatches(calls: Partial<BatchCalls> | undefined): calls is BatchCalls {
  return calls?.readMembers !== undefined;
}

class BatchReader implements MemberReader {
  readonly #fd: number;
  /** Properties of members are kept beside them. */
  readonly #hasStore: boolean;
  readonly #calls: BatchCalls;
  readonly #withAttributes: boolean;
  readonly #bytes = Buffer.allocUnsafe(NAMES_BYTES);
  /** A new one for each batch, as the states of the last may still be in use. */
  #table = new BigInt64Array(0);
  #names: readonly string[] = [];
  #row = 0;
  /** At first short: the client gets its first bytes early. */
  #limitMs = 1;
  #closed = false;

  constructor(path: FsPath, calls: BatchCalls, withAttributes: boolean) {
    this.#fd = fs.openSync(path, OPEN_FOLDER);
    this.#hasStore = hasStore(this.#fd);
    this.#calls = calls;
    this.#withAttributes = withAttributes;
  }

  next(): Member | undefined {
    for (;;) {
      if (this.#row === this.#names.length && !this.#fill()) return undefined;
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
  }

  #fill(): boolean {
    this.#table = new BigInt64Array(BATCH * MEMBER_FIELDS);
    const count = this.#calls.readMembers(
      this.#fd,
      this.#bytes,
      this.#table,
      this.#withAttributes,
      this.#limitMs,
    );
    this.#limitMs = LIMIT_MS;
    this.#row = 0;
    if (count === 0) {
      this.#names = [];
      return false;
    }
    // One text for all names: cheaper than one call for each.
    const end = MemberState.nameEnd(this.#table, count - 1);
    this.#names = this.#bytes.toString('latin1', 0, end).split('\0');
    return true;
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    fs.closeSync(this.#fd);
  }
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
