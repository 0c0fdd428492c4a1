import type { ContentReader, DataOptions, FileVersion, StagingFile } from '../content.js';
import type { Awaitable, Waiting } from '../filesystem.js';
import type { ContentSource } from './content-source.js';
import { copyContent } from './copy-content.js';
import { budgetOf, type Evictable, type MemoryBudget } from './memory-budget.js';
import { WholePlan } from './read-plan.js';
import { SegmentReader } from './segment-reader.js';

/** A small file whose bytes are there before it is opened. When the room is wanted, the next read fetches them like those of any. */
export class FetchedContent implements ContentReader, Evictable {
  readonly busy = false;
  readonly unread = false;
  readonly #source: ContentSource;
  readonly #budget: MemoryBudget;
  #content: Buffer | undefined;
  #again: SegmentReader | undefined;

  /** REQUIRES: `content` is of the source's version. */
  constructor(source: ContentSource, content: Buffer, options: DataOptions) {
    this.#source = source;
    this.#content = content;
    this.#budget = budgetOf(options.client, options.readAheadBytes);
    this.#budget.admit(this);
  }

  get bytes(): number {
    return this.version.size;
  }

  get version(): FileVersion {
    return this.#source.version;
  }

  get isHere(): boolean {
    return this.#content !== undefined;
  }

  retag(version: FileVersion): void {
    this.#source.retag(version);
  }

  read(offset: number, length: number, waiting: Waiting): Awaitable<readonly Uint8Array[]> {
    if (this.#content !== undefined) {
      const piece = this.#content.subarray(offset, offset + length);
      return piece.length === 0 ? [] : [piece];
    }
    const plan = new WholePlan(this.version.size);
    this.#again ??= new SegmentReader(this.#source, this.#budget, plan);
    return this.#again.read(offset, length, waiting);
  }

  copyTo(staging: StagingFile, length: number, signal: AbortSignal): Promise<void> {
    return copyContent(this, staging, length, signal);
  }

  evict(): void {
    this.#content = undefined;
  }

  close(): void {
    this.#budget.release(this);
    this.#content = undefined;
    this.#again?.close();
  }
}
