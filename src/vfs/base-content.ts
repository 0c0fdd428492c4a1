/**
 * What of an open file was not written here: read from the version at the peer that our changes belong to. By our own uploads that is
 * another version now and then; then what is read here of the one is at the same place in the other.
 */
import type { BaseContent, BaseReadOptions, ContentReader, FileVersion } from './content.js';
import { FsError, type Awaitable } from './filesystem.js';
import { withSignal } from './shared-call.js';

export interface BaseOptions {
  readonly version: FileVersion;
  /** Of that version, if there is one already; stays the caller's. */
  readonly reader: ContentReader | undefined;
  readonly open: (version: FileVersion) => ContentReader;
  /** An upload that is on its way: what the peer tells may be of before or after it. */
  readonly uploading: () => Promise<void> | undefined;
}

export function createBaseContent(options: BaseOptions): BaseContent {
  return new Base(options);
}

class Base implements BaseContent {
  readonly #options: BaseOptions;
  #version: FileVersion;
  #reader: ContentReader | undefined;
  /** The reader was made here. */
  #own = false;
  #closed = false;

  constructor(options: BaseOptions) {
    this.#options = options;
    this.#version = options.version;
    this.#reader = options.reader;
  }

  read(offset: number, length: number, options: BaseReadOptions): Awaitable<readonly Uint8Array[]> {
    const reader = this.#current();
    const again = (error: unknown): Promise<readonly Uint8Array[]> =>
      this.#again(error, reader, options, () => this.read(offset, length, options));
    const check = (pieces: readonly Uint8Array[]): readonly Uint8Array[] => {
      const count = pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (count !== length) throw new FsError('EIO', 'the version that was opened is shorter');
      return pieces;
    };
    try {
      const pieces = reader.read(offset, length, options);
      return pieces instanceof Promise ? pieces.then(check, again) : check(pieces);
    } catch (error) {
      return again(error);
    }
  }

  rebase(version: FileVersion): void {
    this.#version = version;
    this.#drop();
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #current(): ContentReader {
    if (this.#closed) throw new FsError('EBADF', 'the file was closed');
    if (this.#reader === undefined) {
      this.#reader = this.#options.open(this.#version);
      this.#own = true;
    }
    return this.#reader;
  }

  #drop(): void {
    if (this.#own) this.#reader?.close();
    this.#reader = undefined;
    this.#own = false;
  }

  /** A reader of the version before our upload finds the one after it, or was closed for it. */
  async #again<T>(
    error: unknown,
    reader: ContentReader,
    options: BaseReadOptions,
    read: () => Awaitable<T>,
  ): Promise<T> {
    const uploading = options.forUpload === true ? undefined : this.#options.uploading();
    if (uploading !== undefined) await withSignal(uploading, options.signal);
    if (this.#closed || this.#reader === reader) throw error;
    return read();
  }
}
