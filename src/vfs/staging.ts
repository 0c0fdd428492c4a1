/** What a program writes until the peer has it: in memory while small, then in an unlinked local file. */
import type { DataOptions, StagingFile, StagingSnapshot } from './content.js';
import { FsError, type Awaitable } from './filesystem.js';
import { ScratchFile } from './scratch-file.js';

/** Up to here the content is in memory: most files never touch the disk. */
const MEMORY_BYTES = 256 * 1024;
const PIECE_BYTES = 256 * 1024;

export function createStaging(options: Pick<DataOptions, 'cacheDir'>): StagingFile {
  return new Staging(options.cacheDir);
}

/**
 * Where the content is. A snapshot holds on to its store:
 * - memory: a write while a snapshot is open goes to a copy (at most MEMORY_BYTES);
 * - file: writes wait until the snapshot is released. An upload that reads a file while it is written would store what no program ever
 *   wrote; the wait is that of a program that writes to a page under write-back. Truncation to nothing doesn't wait: it begins a new store.
 */
type Store = MemoryStore | FileStore;

interface MemoryStore {
  readonly kind: 'memory';
  /** Capacity; zeros beyond the size. */
  buffer: Buffer;
  holds: number;
}

interface FileStore {
  readonly kind: 'file';
  readonly file: ScratchFile;
  holds: number;
  /** Writes on their way to the disk. */
  writing: number;
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
    if (store.holds > 0) return this.#later(() => this.write(offset, data));
    return this.#writeFile(store, offset, data);
  }

  truncate(size: number): Awaitable<void> {
    this.#assertOpen();
    if (!Number.isSafeInteger(size)) throw new FsError('EFBIG');
    const store = this.#store;
    if (this.#exclusive) return this.#later(() => this.truncate(size));
    if (size === 0 && !(store.kind === 'file' && store.writing > 0)) {
      this.#startOver();
      return undefined;
    }
    if (store.kind === 'memory') {
      if (size > MEMORY_BYTES) return this.#moveToFile().then(() => this.truncate(size));
      this.#writableMemory(store, size).fill(0, size);
      this.#changed(size);
      return undefined;
    }
    if (store.holds > 0 || store.writing > 0) return this.#later(() => this.truncate(size));
    const before = this.#size;
    this.#changed(size);
    return this.#exclusively(async () => {
      try {
        await store.file.truncate(size);
      } catch (error) {
        this.#size = before;
        throw error;
      }
    });
  }

  snapshot(): StagingSnapshot {
    this.#assertOpen();
    const store = this.#store;
    const size = this.#size;
    store.holds += 1;
    if (store.kind === 'file') store.file.retain();
    let released = false;
    return {
      size,
      generation: this.#generation,
      open: () => this.#pieces(store, size),
      release: () => {
        if (released) return;
        released = true;
        store.holds -= 1;
        if (store.kind === 'file') store.file.close();
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

  async *#pieces(store: Store, size: number): AsyncGenerator<Uint8Array> {
    // Writes that were on their way when the snapshot was taken are in it; no new ones begin.
    while (store.kind === 'file' && (store.writing > 0 || this.#exclusive)) await this.#change();
    const read = (offset: number): Awaitable<Buffer> =>
      readStore(store, offset, Math.min(PIECE_BYTES, size - offset));
    let next: Awaitable<Buffer> | undefined = size > 0 ? read(0) : undefined;
    for (let offset = 0; next !== undefined;) {
      const piece: Buffer = await next;
      offset += piece.length;
      // One piece ahead: the disk works while the channel takes the piece before.
      next = offset < size ? read(offset) : undefined;
      if (next instanceof Promise) next.catch(() => undefined);
      yield piece;
    }
  }

  #writeFile(store: FileStore, offset: number, data: Uint8Array): Awaitable<void> {
    const before = this.#size;
    const end = offset + data.length;
    const undo = (): void => {
      if (this.#store === store && this.#size === end) this.#size = before;
    };
    // Before the bytes are there: a snapshot from now on waits for them and has to have the size that goes with them.
    this.#changed(Math.max(before, end));
    let written: Awaitable<void>;
    try {
      written = store.file.write(offset, data);
    } catch (error) {
      undo();
      throw error;
    }
    if (!(written instanceof Promise)) return undefined;
    store.writing += 1;
    return written
      .catch((error: unknown) => {
        undo();
        throw error;
      })
      .finally(() => {
        store.writing -= 1;
        this.#wakeAll();
      });
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
    const { kind, holds } = this.#store;
    if (kind === 'file') {
      this.#store.file.close();
      this.#store = { kind: 'memory', buffer: Buffer.alloc(0), holds: 0 };
    } else if (holds > 0) {
      this.#store = { kind: 'memory', buffer: Buffer.alloc(0), holds: 0 };
    } else {
      this.#store.buffer.fill(0);
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
      this.#store = { kind: 'file', file, holds: 0, writing: 0 };
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
