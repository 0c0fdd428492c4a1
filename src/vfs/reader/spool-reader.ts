import type { ContentReader, FileVersion, StagingFile } from '../content.js';
import { FsError, type Awaitable, type Waiting } from '../filesystem.js';
import { ChunkList } from './chunk-list.js';
import type { ContentSource } from './content-source.js';
import { copyContent } from './copy-content.js';
import { Spool } from './spool.js';
import { Transfer, type RunningGet } from './transfer.js';
import { Waiters } from './waiters.js';

/** Written bytes that stay in memory for the reads that follow the stream closely. */
const RECENT_BYTES = 8 * 1024 * 1024;

export interface SpoolLimits {
  /** Arrived bytes that wait for the disk; beyond it the request is given up … */
  readonly maxPendingBytes: number;
  /** … and made again, from where it stood, when so few are left. */
  readonly lowPendingBytes: number;
}

const DEFAULT_LIMITS: SpoolLimits = {
  maxPendingBytes: 64 * 1024 * 1024,
  lowPendingBytes: 4 * 1024 * 1024,
};

/**
 * For servers where every range costs as much as the whole file (phodav copies the file into memory for each): one GET of all of it,
 * into a local file; reads wait until their bytes have arrived.
 */
export class SpoolReader implements ContentReader {
  readonly #source: ContentSource;
  readonly #limits: SpoolLimits;
  /** What is not written yet, and the last of what is. */
  readonly #chunks = new ChunkList(0);
  readonly #waiters = new Waiters();
  readonly #spool: Spool;
  readonly #transfer: Transfer;
  #started = false;
  #closed = false;
  /** Why no more bytes can be kept; what has come can still be read. */
  #failure: FsError | undefined;

  constructor(source: ContentSource, folder: string, limits: SpoolLimits = DEFAULT_LIMITS) {
    this.#source = source;
    this.#limits = limits;
    this.#spool = new Spool(
      this.#chunks,
      { folder, log: source.log },
      { onWritten: () => this.#onWritten(), onFailure: (error) => this.#onSpoolFailure(error) },
    );
    this.#transfer = new Transfer(source, 0, source.version.size, (chunk) => this.#onData(chunk));
  }

  get version(): FileVersion {
    return this.#source.version;
  }

  retag(version: FileVersion): void {
    this.#source.retag(version);
  }

  begin(running?: RunningGet): void {
    this.#started = true;
    this.#transfer.run(running).catch((error: unknown) => {
      if (this.#closed || this.#failure) return;
      // A peer that was away for a while may be back: the next read that needs more goes on from here.
      this.#started = false;
      this.#waiters.fail(error);
    });
  }

  /** Bytes of the GET given to `begin`. */
  take(chunk: Buffer): void {
    if (!this.#closed) this.#transfer.take(chunk);
  }

  read(offset: number, length: number, waiting: Waiting): Awaitable<readonly Uint8Array[]> {
    this.#assertUsable();
    const end = Math.min(offset + length, this.version.size);
    if (offset >= end) return [];
    if (end <= this.#chunks.end) return this.#hand(offset, end);
    if (this.#failure) throw this.#failure;
    if (!this.#started) this.begin();
    return this.#waiters.wait(end, waiting.signal).then(() => {
      this.#assertUsable();
      return this.#hand(offset, end);
    });
  }

  copyTo(staging: StagingFile, length: number, signal: AbortSignal): Promise<void> {
    return copyContent(this, staging, length, signal);
  }

  close(): void {
    this.#closed = true;
    this.#transfer.stop();
    this.#spool.close();
    this.#chunks.clear();
    this.#waiters.fail(closedError());
    this.#source.close();
  }

  #assertUsable(): void {
    if (this.#source.failure) throw this.#source.failure;
    if (this.#closed) throw closedError();
  }

  /** REQUIRES: [offset, end) has arrived. */
  #hand(offset: number, end: number): Awaitable<readonly Uint8Array[]> {
    const start = this.#chunks.start;
    if (offset >= start) return this.#chunks.slice(offset, end);
    // Sliced now: by the time that the disk answers, these may have been dropped.
    const recent = end > start ? this.#chunks.slice(start, end) : [];
    const written = this.#spool.read(offset, Math.min(end, start) - offset);
    if (written instanceof Promise) return written.then((bytes) => [bytes, ...recent]);
    return [written, ...recent];
  }

  #onData(chunk: Buffer): void {
    this.#chunks.append(chunk);
    this.#waiters.arrived(this.#chunks.end);
    this.#spool.kick();
    if (this.#spool.pendingBytes > this.#limits.maxPendingBytes && !this.#transfer.paused) {
      this.#source.log.warn('cache_dir is slower than the peer: the file is fetched in parts');
      this.#transfer.pause();
    }
  }

  #onWritten(): void {
    const { written, pendingBytes } = this.#spool;
    const complete = written === this.version.size;
    this.#chunks.dropUntil(complete ? written : Math.min(written, this.#chunks.end - RECENT_BYTES));
    if (this.#transfer.paused && pendingBytes <= this.#limits.lowPendingBytes) {
      this.#transfer.resume();
    }
  }

  /** Memory must not take over from the disk: no more bytes are fetched, those in memory stay readable. */
  #onSpoolFailure(error: FsError): void {
    this.#failure = error;
    this.#transfer.stop();
    this.#waiters.fail(error);
  }
}

function closedError(): FsError {
  return new FsError('EBADF', 'the file was closed');
}
