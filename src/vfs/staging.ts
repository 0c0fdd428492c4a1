/** What a program writes until the peer has it: in memory while small, then in an unlinked local file. */
import type { DataOptions, StagingFile, StagingSnapshot } from './content.js';
import { FsError, type Awaitable } from './filesystem.js';
import { ScratchFile } from './scratch-file.js';
import { pieces, putAsideAndWrite, SnapshotOverlay, type Held } from './snapshot-overlay.js';

/** Up to here the content is in memory: most files never touch the disk. */
const MEMORY_BYTES = 256 * 1024;

export function createStaging(options: Pick<DataOptions, 'cacheDir'>): StagingFile {
  return new Staging(options.cacheDir);
}

/** Where the content is. A snapshot holds on to its store, and what is written later never shows in it. */
type Store = MemoryStore | FileStore;

/** A write while a snapshot holds the store goes to a copy (at most MEMORY_BYTES). */
interface MemoryStore {
  readonly kind: 'memory';
  /** Capacity; zeros beyond the size. */
  buffer: Buffer;
  holds: number;
}

/** A write while there are snapshots puts the blocks aside that it is about to change. */
interface FileStore {
  readonly kind: 'file';
  readonly file: ScratchFile;
  readonly snapshots: Set<SnapshotOverlay>;
  /** Writes and truncations on their way to the disk. */
  readonly running: Set<Promise<void>>;
}

class Staging implements StagingFile {
  readonly #folder: string;
  #store: Store = { kind: 'memory', buffer: Buffer.alloc(0), holds: 0 };
  #size = 0;
  #generation = 0;
  /** A change of the store or of the size that everything else waits for. */
  #exclusive = false;
  #closed = false;
  #wake: (() => void)[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  get size(): number {
    return this.#size;
  }

  get generation(): number {
    return this.#generation;
  }

  read(offset: number, length: number): Awaitable<readonly Uint8Array[]> {
    this.#assertOpen();
    const count = Math.min(length, this.#size - offset);
    if (count <= 0) return [];
    const bytes = readStore(this.#store, offset, count);
    return bytes instanceof Promise ? bytes.then((piece) => [piece]) : [bytes];
  }

  write(offset: number, data: Uint8Array): Awaitable<void> {
    this.#assertOpen();
    // POSIX: no change, wherever it is.
    if (data.length === 0) return undefined;
    const end = offset + data.length;
    if (!Number.isSafeInteger(end)) throw new FsError('EFBIG');
    const store = this.#store;
    if (this.#exclusive) return this.#later(() => this.write(offset, data));
    if (store.kind === 'memory') {
      if (end > MEMORY_BYTES) return this.#moveToFile().then(() => this.write(offset, data));
      this.#writableMemory(store, end).set(data, offset);
      this.#changed(Math.max(this.#size, end));
      return undefined;
    }
    return this.#writeFile(store, offset, data);
  }

  truncate(size: number): Awaitable<void> {
    this.#assertOpen();
    if (!Number.isSafeInteger(size)) throw new FsError('EFBIG');
    const store = this.#store;
    if (this.#exclusive) return this.#later(() => this.truncate(size));
    if (size === 0 && !(store.kind === 'file' && store.running.size > 0)) {
      this.#startOver();
      return undefined;
    }
    if (store.kind === 'memory') {
      if (size > MEMORY_BYTES) return this.#moveToFile().then(() => this.truncate(size));
      this.#writableMemory(store, size).fill(0, size);
      this.#changed(size);
      return undefined;
    }
    // Shrinking changes all blocks from there on: rather wait for the snapshots than put them all aside.
    const shrinks = size < this.#size && store.snapshots.size > 0;
    if (shrinks || store.running.size > 0) return this.#later(() => this.truncate(size));
    return this.#truncateFile(store, size);
  }

  snapshot(): StagingSnapshot {
    this.#assertOpen();
    const size = this.#size;
    const held = this.#hold(this.#store, size);
    let released = false;
    return {
      size,
      generation: this.#generation,
      open: () => pieces(held.read, size),
      read: held.read,
      release: () => {
        if (released) return;
        released = true;
        held.release();
        this.#wakeAll();
      },
    };
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      if (this.#store.kind === 'file') this.#store.file.close();
      this.#wakeAll();
    }
    return Promise.resolve();
  }

  #hold(store: Store, size: number): Held {
    if (store.kind === 'memory') {
      store.holds += 1;
      return {
        read: (offset, length) => readStore(store, offset, length),
        release: () => (store.holds -= 1),
      };
    }
    const complete = Promise.allSettled(store.running);
    const overlay = new SnapshotOverlay(store.file, { folder: this.#folder, size, complete });
    store.snapshots.add(overlay);
    return {
      read: (offset, length) => overlay.read(offset, length),
      release: () => {
        store.snapshots.delete(overlay);
        overlay.release();
      },
    };
  }

  #writeFile(store: FileStore, offset: number, data: Uint8Array): Awaitable<void> {
    const before = this.#size;
    const end = offset + data.length;
    // Before the bytes are there: a snapshot from now on waits for them and has to have the size that goes with them.
    this.#changed(Math.max(before, end));
    const undo = (error: unknown): never => {
      if (this.#store === store && this.#size === end) this.#size = before;
      throw error;
    };
    try {
      // Snapshots that are taken from now on have this write in them.
      const written =
        store.snapshots.size === 0
          ? store.file.write(offset, data)
          : putAsideAndWrite(store.file, [...store.snapshots], offset, data);
      return written instanceof Promise ? this.#track(store, written.catch(undo)) : undefined;
    } catch (error) {
      return undo(error);
    }
  }

  #truncateFile(store: FileStore, size: number): Promise<void> {
    const before = this.#size;
    this.#changed(size);
    const truncated = this.#exclusively(async () => {
      try {
        await store.file.truncate(size);
      } catch (error) {
        this.#size = before;
        throw error;
      }
    });
    return this.#track(store, truncated);
  }

  #track(store: FileStore, work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => {
      store.running.delete(tracked);
      this.#wakeAll();
    });
    store.running.add(tracked);
    return tracked;
  }

  /** The memory to write to, with room for `end` bytes: a copy while a snapshot holds the present one. */
  #writableMemory(store: MemoryStore, end: number): Buffer {
    const capacity = store.buffer.length;
    if (store.holds === 0 && end <= capacity) return store.buffer;
    const wanted = Math.max(end, Math.min(MEMORY_BYTES, end > capacity ? capacity * 2 : capacity));
    const buffer = Buffer.alloc(wanted);
    store.buffer.copy(buffer, 0, 0, Math.min(this.#size, store.buffer.length));
    if (store.holds > 0) this.#store = { kind: 'memory', buffer, holds: 0 };
    else store.buffer = buffer;
    return buffer;
  }

  #startOver(): void {
    const store = this.#store;
    if (store.kind === 'file') store.file.close();
    if (store.kind === 'file' || store.holds > 0) {
      this.#store = { kind: 'memory', buffer: Buffer.alloc(0), holds: 0 };
    } else {
      store.buffer.fill(0);
    }
    this.#changed(0);
  }

  #moveToFile(): Promise<void> {
    return this.#exclusively(async () => {
      const file = await ScratchFile.open(this.#folder);
      try {
        const present = readStore(this.#store, 0, this.#size);
        if (this.#size > 0) await file.write(0, await present);
        if (this.#closed) throw new FsError('EBADF');
      } catch (error) {
        file.close();
        throw error;
      }
      this.#store = { kind: 'file', file, snapshots: new Set(), running: new Set() };
    });
  }

  #changed(size: number): void {
    this.#size = size;
    this.#generation += 1;
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    this.#exclusive = true;
    try {
      await work();
    } finally {
      this.#exclusive = false;
      this.#wakeAll();
    }
  }

  async #later(retry: () => Awaitable<void>): Promise<void> {
    await this.#change();
    return retry();
  }

  #change(): Promise<void> {
    return new Promise((wake) => this.#wake.push(wake));
  }

  #wakeAll(): void {
    const woken = this.#wake;
    this.#wake = [];
    for (const wake of woken) wake();
  }

  #assertOpen(): void {
    if (this.#closed) throw new FsError('EBADF', 'the file was closed');
  }
}

/** The bytes become the caller's: memory is copied, as the next write changes it in place. */
function readStore(store: Store, offset: number, length: number): Awaitable<Buffer> {
  if (store.kind === 'file') return store.file.read(offset, length);
  const piece = Buffer.alloc(length);
  store.buffer.copy(piece, 0, offset, Math.min(offset + length, store.buffer.length));
  return piece;
}
