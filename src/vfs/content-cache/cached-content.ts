import { BLOCK_BYTES, type CacheFile, type CacheKey } from './cache-file.js';
import type { ContentCache } from './content-cache.js';

/** Blocks that wait for the disk; what comes faster is not kept. */
const MAX_PENDING_BLOCKS = 256;

/** One version in the cache, for as long as a reader uses it. Whatever fails here is the cache's to tell, never the reader's. */
export class CachedContent {
  readonly #cache: ContentCache;
  readonly #name: string;
  readonly #key: CacheKey;
  #file: CacheFile | undefined;
  /** All reads and writes so far: the file is closed after them. */
  #work: Promise<void> = Promise.resolve();
  #pendingBlocks = 0;
  #full = false;
  #closing: Promise<void> | undefined;

  constructor(cache: ContentCache, name: string, key: CacheKey, file: CacheFile | undefined) {
    this.#cache = cache;
    this.#name = name;
    this.#key = key;
    this.#file = file;
  }

  /** Is all of [start, end) there? Its checksums are looked at when it is read. */
  has(start: number, end: number): boolean {
    const last = Math.ceil(end / BLOCK_BYTES);
    for (let block = Math.floor(start / BLOCK_BYTES); block < last; block += 1) {
      if (this.#file?.has(block) !== true) return false;
    }
    return true;
  }

  /** The bytes from `offset` on, not beyond `end`; undefined: they have to be fetched. */
  async read(offset: number, end: number): Promise<Buffer | undefined> {
    const file = this.#file;
    if (!file || this.#closing || !this.has(offset, offset + 1)) return undefined;
    const reading = file.read(offset, end).catch((error: unknown) => {
      this.#cache.fail(error);
      return undefined;
    });
    this.#after(reading);
    return reading;
  }

  /** A block that was fetched; of the last one what there is. The caller gives the memory away. */
  keep(block: number, bytes: Buffer): void {
    if (this.#closing || this.#full || this.#file?.has(block) === true) return;
    if (this.#pendingBlocks >= MAX_PENDING_BLOCKS) return;
    this.#pendingBlocks += 1;
    const writing = this.#work.then(() => this.#write(block, bytes));
    this.#work = writing.then(
      () => void (this.#pendingBlocks -= 1),
      (error: unknown) => {
        this.#full = true;
        this.#cache.fail(error);
      },
    );
  }

  /** Resolves when everything has been written. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#work;
    try {
      await this.#file?.close();
    } catch (error) {
      this.#cache.fail(error);
    }
    this.#cache.forget(this);
  }

  async #write(block: number, bytes: Buffer): Promise<void> {
    if (this.#full) return;
    if (!(await this.#cache.grow(this.#name, bytes.length))) {
      this.#full = true;
      return;
    }
    this.#file ??= await this.#cache.open(this.#name, this.#key);
    await this.#file.write(block, bytes);
  }

  #after(work: Promise<unknown>): void {
    const former = this.#work;
    this.#work = work.then(() => former);
  }
}
