/** The contents of small files, many at a time: threads read the next ones while those before are looked through. */
import fs from 'node:fs';
import { encodeName } from '../../names.js';
import { at, PIN_FOLDER } from '../fs-path.js';
import type { Subject } from '../live-properties.js';
import type { SystemCalls } from '../options.js';
import type { Candidate, MemberCandidate, OpenFolder } from './walk.js';

/** Ours: what is looked through between two pauses. */
export const BATCH_FILES = 128;
export const BATCH_BYTES = 256 * 1024;
/** Larger ones are read in pieces. */
export const SMALL_BYTES = 64 * 1024;
/** Others need the threads, too. */
const BATCHES_AHEAD = 2;
/** How long one batch may keep a thread on a slow disk. */
const LIMIT_MS = 20;

type FileCalls = Pick<Required<SystemCalls>, 'readFiles'>;

export function hasFiles(calls: Partial<FileCalls>): calls is FileCalls {
  return calls.readFiles !== undefined;
}

/** Bytes of a file, or the errno for which there are none. What it was given is used again when its promise settles. */
export type TakeContent = (
  candidate: Candidate,
  content: Buffer | number,
) => Promise<void> | undefined;

interface Reading {
  readonly batch: Batch;
  readonly bytes: Buffer;
  readonly count: number;
}

export class ContentBatches {
  readonly #calls: FileCalls;
  readonly #take: TakeContent;
  readonly #pause: () => Promise<void>;
  /** In the order in which they were begun. */
  readonly #readings: Promise<Reading>[] = [];
  readonly #free: Buffer[] = [];
  #next: Batch | undefined;

  /** `pause` lets others run; one batch is taken between two of them. */
  constructor(calls: FileCalls, take: TakeContent, pause: () => Promise<void>) {
    this.#calls = calls;
    this.#take = take;
    this.#pause = pause;
  }

  /** The candidate is taken later on; a promise when others must be first. */
  add(candidate: MemberCandidate): Promise<void> | undefined {
    if (this.#next?.hasRoomFor(candidate) === true) {
      this.#next.add(candidate);
      return undefined;
    }
    const full = this.#next;
    this.#next = new Batch(candidate);
    return full && this.#begin(full);
  }

  /** Everything that was added has been taken when it resolves. */
  async drain(): Promise<void> {
    const last = this.#next;
    this.#next = undefined;
    if (last) await this.#begin(last);
    while (this.#readings.length > 0) await this.#finishFirst();
  }

  /** Idempotent. Nothing is taken any more. */
  close(): void {
    this.#next?.close();
    this.#next = undefined;
    for (const reading of this.#readings.splice(0)) closeAfter(reading);
  }

  async #begin(batch: Batch): Promise<void> {
    try {
      if (this.#readings.length >= BATCHES_AHEAD) await this.#finishFirst();
    } catch (error) {
      batch.close();
      throw error;
    }
    this.#readings.push(this.#read(batch));
  }

  #read(batch: Batch): Promise<Reading> {
    const bytes = this.#free.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
    const reading = batch
      .read(this.#calls, bytes)
      .then((count) => ({ batch, bytes, count }))
      .catch((error: unknown) => {
        batch.close();
        throw error;
      });
    // Awaited when its turn comes; until then its failure is not an unhandled one.
    reading.catch(() => undefined);
    return reading;
  }

  async #finishFirst(): Promise<void> {
    const { batch, bytes, count } = await this.#readings.shift()!;
    try {
      for (const [candidate, content] of batch.contents(bytes, count)) {
        const wait = this.#take(candidate, content);
        if (wait) await wait;
      }
      await this.#pause();
    } catch (error) {
      batch.close();
      throw error;
    }
    this.#free.push(bytes);
    batch.drop(count);
    if (batch.isEmpty) batch.close();
    else this.#readings.unshift(this.#read(batch));
  }
}

/** The thread may still read from its folder. */
function closeAfter(reading: Promise<Reading>): void {
  reading.then(
    ({ batch }) => {
      batch.close();
    },
    () => undefined,
  );
}

/** Files of one folder, which stays open for them when the walk has left it. */
class Batch {
  /** By identity: the walk may open another folder under the number of this one. */
  readonly #walked: OpenFolder;
  readonly #folder: number;
  readonly #lengths = new Int32Array(BATCH_FILES);
  #candidates: Candidate[];
  #bytes: number;

  constructor(first: MemberCandidate) {
    this.#walked = first.folder;
    this.#folder = fs.openSync(at(first.folder.fd, ''), PIN_FOLDER);
    this.#candidates = [first];
    this.#bytes = room(first);
  }

  hasRoomFor(candidate: MemberCandidate): boolean {
    return (
      candidate.folder === this.#walked &&
      this.#candidates.length < BATCH_FILES &&
      this.#bytes + room(candidate) <= BATCH_BYTES
    );
  }

  add(candidate: MemberCandidate): void {
    this.#candidates.push(candidate);
    this.#bytes += room(candidate);
  }

  get isEmpty(): boolean {
    return this.#candidates.length === 0;
  }

  /** Gives how many were looked at. */
  read(calls: FileCalls, bytes: Buffer): Promise<number> {
    const names = this.#candidates.map(({ subject }) => `${subject.name}\0`);
    return calls.readFiles(
      this.#folder,
      encodeName(names.join('')),
      bytes,
      this.#lengths,
      LIMIT_MS,
    );
  }

  *contents(bytes: Buffer, count: number): Generator<[Candidate, Buffer | number]> {
    let start = 0;
    for (const [index, { href, subject }] of this.#candidates.slice(0, count).entries()) {
      const length = this.#lengths[index]!;
      const content = length < 0 ? -length : bytes.subarray(start, (start += length));
      yield [{ href, subject: memberOf(this.#folder, subject) }, content];
    }
  }

  drop(count: number): void {
    this.#candidates = this.#candidates.slice(count);
  }

  close(): void {
    fs.closeSync(this.#folder);
  }
}

/** One byte more tells the thread that the file has not grown. */
function room({ subject }: Candidate): number {
  return Number(subject.stat.size) + 1;
}

function memberOf(folder: number, subject: Subject): Subject {
  const { name, kind, stat, hasDeadProperties } = subject;
  const path = at(folder, name);
  const moved = { name, kind, stat, path };
  return hasDeadProperties === undefined ? moved : { ...moved, hasDeadProperties };
}
