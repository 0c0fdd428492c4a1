import fs from 'node:fs';
import type { FsPath } from './fs-path.js';
import {
  countOf,
  LIMIT_MS,
  MemberBatch,
  NAMES_BYTES,
  newTable,
  openFolder,
  readMembers,
  type Member,
  type OpenFolder,
} from './member-reader.js';
import type { SystemCalls } from './options.js';

/** The members of a folder; while some are used, the next ones are read by a thread. */
export interface AheadReader {
  /** The folder, until `close`. */
  readonly fd: number;
  /** The next one at hand. Undefined: see `more`. */
  next(): Member | undefined;
  /** Undefined: that was the last one. Else there may be others when it resolves. */
  more(): Promise<void> | undefined;
  close(): void;
}

export function readMembersAhead(
  path: FsPath,
  calls: SystemCalls | undefined,
  withAttributes: boolean,
): AheadReader {
  if (hasThreads(calls)) return new ThreadReader(path, calls, withAttributes);
  const members = readMembers(path, calls, withAttributes);
  return {
    fd: members.fd,
    next: () => members.next(),
    more: () => undefined,
    close: () => {
      members.close();
    },
  };
}

type AheadCalls = Pick<Required<SystemCalls>, 'readMembers' | 'readMembersAhead'>;

function hasThreads(calls: Partial<AheadCalls> | undefined): calls is AheadCalls {
  return calls?.readMembers !== undefined && calls.readMembersAhead !== undefined;
}

/** Of the first ones, which the client gets while others are read; most folders end with them. */
const FIRST_ROWS = 128;
const FIRST_LIMIT_MS = 1;

interface Reading {
  readonly table: BigInt64Array;
  readonly result: number;
}

class ThreadReader implements AheadReader {
  readonly #folder: OpenFolder;
  readonly #calls: AheadCalls;
  readonly #withAttributes: boolean;
  /** INVARIANT: belongs to the thread until `#reading` settles. */
  readonly #bytes = Buffer.allocUnsafeSlow(NAMES_BYTES);
  #batch: MemberBatch | undefined;
  /** Of the batch after this one; undefined: there is none. */
  #reading: Promise<Reading> | undefined;
  #begun = false;
  #closed = false;

  constructor(path: FsPath, calls: AheadCalls, withAttributes: boolean) {
    this.#folder = openFolder(path);
    this.#calls = calls;
    this.#withAttributes = withAttributes;
  }

  get fd(): number {
    return this.#folder.fd;
  }

  next(): Member | undefined {
    if (!this.#begun) this.#readFirst();
    return this.#batch?.next();
  }

  more(): Promise<void> | undefined {
    return this.#reading && this.#advance(this.#reading);
  }

  async #advance(reading: Promise<Reading>): Promise<void> {
    this.#take(await reading);
  }

  #readFirst(): void {
    this.#begun = true;
    const table = newTable(FIRST_ROWS);
    const { fd } = this.#folder;
    const withAttributes = this.#withAttributes;
    const result = this.#calls.readMembers(fd, this.#bytes, table, withAttributes, FIRST_LIMIT_MS);
    this.#take({ table, result });
  }

  /** The names are taken out of `#bytes` before the thread gets it for the next ones. */
  #take({ table, result }: Reading): void {
    this.#batch = new MemberBatch(this.#folder, this.#bytes, table, countOf(result));
    this.#reading = result < 0 || this.#closed ? undefined : this.#readNext();
    // Awaited when its members are wanted; until then its failure is not an unhandled one.
    this.#reading?.catch(() => undefined);
  }

  async #readNext(): Promise<Reading> {
    const table = newTable();
    const { fd } = this.#folder;
    const withAttributes = this.#withAttributes;
    const result = await this.#calls.readMembersAhead(
      fd,
      this.#bytes,
      table,
      withAttributes,
      LIMIT_MS,
    );
    return { table, result };
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const close = (): void => {
      fs.closeSync(this.#folder.fd);
    };
    // The thread may still read from it.
    if (this.#reading) void this.#reading.then(close, close);
    else close();
  }
}
