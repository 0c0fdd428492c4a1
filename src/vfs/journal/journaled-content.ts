/** A content in the journal, for who reads it, uploads it, or goes on writing it: that goes to a copy. */
import type { StagedFile, StagingFile, StagingSnapshot } from '../content.js';
import { FsError, type Awaitable } from '../filesystem.js';
import { pieces } from '../snapshot-overlay.js';
import type { Journal, JournalEntry } from './journal.js';

const COPY_BYTES = 1024 * 1024;

export class JournaledContent implements StagedFile {
  readonly #journal: Journal;
  readonly #entry: JournalEntry;
  readonly #createStaging: () => StagingFile;
  readonly #generation: number;
  /** What was written since. */
  #copy: StagingFile | undefined;
  #copying: Promise<StagingFile> | undefined;
  #users = 1;
  #closed = false;

  /** `generation`: of the staging file that it takes the place of. */
  constructor(
    journal: Journal,
    entry: JournalEntry,
    generation: number,
    createStaging: () => StagingFile,
  ) {
    this.#journal = journal;
    this.#entry = entry;
    this.#generation = generation;
    this.#createStaging = createStaging;
    journal.retain(entry);
  }

  get size(): number {
    return this.#copy?.size ?? this.#entry.size;
  }

  get generation(): number {
    return this.#generation + (this.#copy?.generation ?? 0);
  }

  read(offset: number, length: number): Awaitable<readonly Uint8Array[]> {
    this.#assertOpen();
    if (this.#copy !== undefined) return this.#copy.read(offset, length);
    return this.#hold(() => this.#journal.read(this.#entry, offset, length)).then((bytes) => [
      bytes,
    ]);
  }

  inMemory(): undefined {
    return undefined;
  }

  write(offset: number, data: Uint8Array): Awaitable<void> {
    this.#assertOpen();
    if (this.#copy !== undefined) return this.#copy.write(offset, data);
    return this.#copyUp(this.#entry.size).then((copy) => copy.write(offset, data));
  }

  truncate(size: number): Awaitable<void> {
    this.#assertOpen();
    if (this.#copy !== undefined) return this.#copy.truncate(size);
    return this.#copyUp(Math.min(size, this.#entry.size)).then((copy) => copy.truncate(size));
  }

  snapshot(): StagingSnapshot {
    this.#assertOpen();
    if (this.#copy !== undefined) {
      const snapshot = this.#copy.snapshot();
      return {
        size: snapshot.size,
        generation: this.generation,
        open: () => snapshot.open(),
        read: (offset, length) => snapshot.read(offset, length),
        release: () => snapshot.release(),
      };
    }
    this.#users += 1;
    let released = false;
    const read = (offset: number, length: number): Promise<Buffer> =>
      this.#journal.read(this.#entry, offset, length);
    return {
      size: this.#entry.size,
      generation: this.generation,
      open: () => pieces(read, this.#entry.size),
      read,
      release: () => {
        if (released) return;
        released = true;
        this.#leave();
      },
    };
  }

  /** All of it is here. */
  complete(): Promise<void> {
    return Promise.resolve();
  }

  /** It is always sent whole: what the peer has of it need not be known. */
  confirm(): void {
    return;
  }

  retag(): void {
    return;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#copy?.close();
    this.#leave();
  }

  /** One copy for all; what the first of them leaves out (it truncates), it also cuts off before the next one writes. */
  #copyUp(length: number): Promise<StagingFile> {
    this.#copying ??= this.#hold(() => this.#makeCopy(length)).catch((error: unknown) => {
      this.#copying = undefined;
      throw error;
    });
    return this.#copying;
  }

  async #makeCopy(length: number): Promise<StagingFile> {
    const copy = this.#createStaging();
    try {
      for (let at = 0; at < length;) {
        const bytes = await this.#journal.read(this.#entry, at, Math.min(COPY_BYTES, length - at));
        await copy.write(at, bytes);
        at += bytes.length;
      }
      this.#assertOpen();
    } catch (error) {
      await copy.close();
      throw error;
    }
    this.#copy = copy;
    return copy;
  }

  async #hold<T>(work: () => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#journal.release(this.#entry);
  }

  #assertOpen(): void {
    if (this.#closed) throw new FsError('EBADF', 'the file was closed');
  }
}
