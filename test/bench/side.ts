import type { Row } from './rows.js';

/** A piece of work, done. */
export interface Measured {
  /** Bytes, files, calls: what the row counts. */
  readonly done: number;
  readonly seconds: number;
  /** Requests that the peer answered, where it counts them. */
  readonly requests?: number;
}

/** One of those that are measured beside each other. */
export interface Side {
  readonly name: string;
  /** False: the row means nothing here. */
  can(row: Row): boolean;
  /** Empties caches, by mounting anew: not those of the server. */
  fresh(): Promise<void>;
  measure(row: Row): Promise<Measured>;
  /** The same work in `place`, a folder below with the same files: the process has done it before then, and the files of `measure` are unknown all the same. */
  use?(row: Row, place: string): Promise<void>;
  /** Resident memory in MiB, where there is a process of its own. */
  memory(): number | undefined;
  /** Removes what the row made. */
  clear(): Promise<void>;
  end(): Promise<void>;
}
