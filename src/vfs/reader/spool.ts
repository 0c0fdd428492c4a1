import type { Logger } from '../../log.js';
import { FsError, type Awaitable } from '../filesystem.js';
import { ScratchFile } from '../scratch-file.js';
import type { ChunkList } from './chunk-list.js';
import { isZero } from './copy-content.js';

/** Bytes of one write. */
const BATCH_BYTES = 2 * 1024 * 1024;

/**
 * The file behind a `ChunkList` that grows at its end: writes what has arrived, in order, all-zero pieces left out as holes.
 * INVARIANT: [0, written) can be read from the file; chunks from `written` on are still in the list.
 */
export class Spool {
  readonly #chunks: ChunkList;
  readonly #folder: string;
  readonly #log: Logger;
  readonly #onWritten: () => void;
  readonly #onFailure: (error: FsError) => void;
  #file: ScratchFile | undefined;
  #written = 0;
  #busy = false;
  #closed = false;
  #broken = false;

  constructor(
    chunks: ChunkList,
    options: { readonly folder: string; readonly log: Logger },
    events: { readonly onWritten: () => void; readonly onFailure: (error: FsError) => void },
  ) {
    this.#chunks = chunks;
    this.#folder = options.folder;
    this.#log = options.log;
    this.#onWritten = events.onWritten;
    this.#onFailure = events.onFailure;
  }

  get written(): number {
    return this.#written;
  }

  /** Arrived but not written yet. */
  get pendingBytes(): number {
    return this.#chunks.end - this.#written;
  }

  /** Something was appended to the list. One write is on its way at a time. */
  kick(): void {
    if (this.#busy || this.#closed || this.#broken) return;
    this.#busy = true;
    this.#drain()
      .catch((error: unknown) => {
        if (this.#closed) return;
        const failure =
          error instanceof FsError
            ? error
            : new FsError('EIO', 'spool file failed', { cause: error });
        this.#log.error('reading ahead into cache_dir failed', { reason: failure.message });
        this.#broken = true;
        this.#onFailure(failure);
      })
      .finally(() => {
        this.#busy = false;
        // What arrived between the last look and now.
        if (this.pendingBytes > 0) this.kick();
      });
  }

  /** REQUIRES: offset + length <= written. */
  read(offset: number, length: number): Awaitable<Buffer> {
    return this.#file!.read(offset, length);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file?.close();
  }

  async #drain(): Promise<void> {
    this.#file ??= await this.#open();
    while (this.pendingBytes > 0 && !this.#closed) {
      const upTo = Math.min(this.#chunks.end, this.#written + BATCH_BYTES);
      await this.#write(this.#file, this.#chunks.slice(this.#written, upTo));
      this.#written = upTo;
      this.#onWritten();
    }
  }

  async #open(): Promise<ScratchFile> {
    const file = await ScratchFile.open(this.#folder);
    if (this.#closed) file.close();
    return file;
  }

  async #write(file: ScratchFile, pieces: readonly Buffer[]): Promise<void> {
    let position = this.#written;
    let run: Buffer[] = [];
    let runStart = position;
    for (const piece of pieces) {
      if (isZero(piece)) {
        if (run.length > 0) await file.writeAll(runStart, run);
        run = [];
        runStart = position + piece.length;
      } else {
        run.push(piece);
      }
      position += piece.length;
    }
    if (run.length > 0) await file.writeAll(runStart, run);
  }
}
