/**
 * What a program sees of a file that it writes: what was written here, and between it the version of the peer that was opened. Knows what
 * the peer doesn't have yet, so that an upload can send that alone.
 */
import { chain, NEVER } from './awaitable.js';
import type {
  BaseContent,
  BaseReadOptions,
  DataOptions,
  FileVersion,
  StagedFile,
  StagingFile,
  StagingSnapshot,
} from './content.js';
import { ExtentSet } from './extent-set.js';
import { FsError, type Awaitable, type Waiting } from './filesystem.js';
import { Layout } from './layout.js';
import { StagedSnapshot } from './staged-snapshot.js';
import { createStaging } from './staging.js';

const FILL_BYTES = 1024 * 1024;
/** More pieces than this are not kept apart: the rest of the file is fetched then, and it is sent whole. */
const MAX_EXTENTS = 4096;

export interface Base {
  readonly version: FileVersion;
  readonly content: BaseContent;
}

/** `base`: the version at the peer that is to be changed; without one the file is empty, and not there yet. */
export function createStagedContent(
  options: Pick<DataOptions, 'cacheDir'>,
  base?: Base,
): StagedFile {
  return new StagedContent(options, base);
}

class StagedContent implements StagedFile {
  readonly #options: Pick<DataOptions, 'cacheDir'>;
  /** Has what was written at its place; all the rest of it is zero. */
  readonly #local: StagingFile;
  readonly #base: BaseContent | undefined;
  readonly #layout: Layout;
  /** What the peer has, as far as anything is known of it. */
  #version: FileVersion | undefined;
  /** What it doesn't have of the content. */
  readonly #dirty: ExtentSet = new ExtentSet();
  readonly #snapshots = new Set<StagedSnapshot>();
  #size: number;
  #generation = 0;
  /** Writes on their way: a truncation and a fill wait for them, and they for it. */
  readonly #writing = new Set<Promise<void>>();
  #exclusive: Promise<void> | undefined;
  #completing: Promise<void> | undefined;

  constructor(options: Pick<DataOptions, 'cacheDir'>, base: Base | undefined) {
    this.#options = options;
    this.#local = createStaging(options);
    this.#base = base?.content;
    this.#version = base?.version;
    this.#size = base?.version.size ?? 0;
    this.#layout = new Layout(this.#size);
  }

  get size(): number {
    return this.#size;
  }

  get generation(): number {
    return this.#generation;
  }

  read(
    offset: number,
    length: number,
    waiting: Waiting = { signal: NEVER },
  ): Awaitable<readonly Uint8Array[]> {
    const end = Math.min(offset + length, this.#size);
    return this.#layout.read(offset, end, {
      local: (start, count) => this.#local.read(start, count),
      base: (start, count) => this.#base!.read(start, count, waiting),
    });
  }

  write(offset: number, data: Uint8Array): Awaitable<void> {
    if (this.#exclusive !== undefined) return this.#exclusive.then(() => this.write(offset, data));
    if (this.#layout.pieces > MAX_EXTENTS) {
      this.#completing ??= this.complete({ signal: NEVER }).finally(
        () => (this.#completing = undefined),
      );
      return this.#completing.then(() => this.write(offset, data));
    }
    const end = offset + data.length;
    const written = chain(this.#local.write(offset, data), () => {
      if (data.length > 0) this.#written(offset, end);
    });
    if (!(written instanceof Promise)) return undefined;
    const tracked = written.finally(() => this.#writing.delete(tracked));
    this.#writing.add(tracked);
    return tracked;
  }

  truncate(size: number): Awaitable<void> {
    if (!Number.isSafeInteger(size)) throw new FsError('EFBIG');
    if (this.#exclusive === undefined && this.#writing.size === 0 && size >= this.#local.size) {
      this.#truncated(size);
      return undefined;
    }
    return this.#alone(() => {
      const cut = size < this.#local.size ? this.#local.truncate(size) : undefined;
      return chain(cut, () => this.#truncated(size));
    });
  }

  snapshot(): StagingSnapshot {
    const size = this.#size;
    const snapshot: StagedSnapshot = new StagedSnapshot({
      options: this.#options,
      held: this.#local.snapshot(),
      size,
      generation: this.#generation,
      layout: this.#layout.copy(),
      base: this.#base,
      version: this.#version,
      dirty: this.#dirty.list(),
      onRelease: () => this.#snapshots.delete(snapshot),
    });
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  confirm(snapshot: StagingSnapshot, version: FileVersion): void {
    if (!(snapshot instanceof StagedSnapshot)) throw new TypeError('not a snapshot of this file');
    this.#dirty.clear();
    for (const { start, end } of snapshot.later.list()) this.#dirty.add(start, end);
    this.retag(version);
  }

  retag(version: FileVersion): void {
    this.#version = version;
    this.#base?.rebase(version);
  }

  async close(): Promise<void> {
    this.#base?.close();
    await this.#local.close();
  }

  #written(start: number, end: number): void {
    // A gap behind the old end is zero, also where the peer still has bytes.
    if (start > this.#size) this.#mark(this.#size, Math.min(start, this.#reach()));
    this.#mark(start, end);
    this.#layout.written(start, end);
    this.#size = Math.max(this.#size, end);
    this.#generation += 1;
  }

  #truncated(size: number): void {
    if (size < this.#size) {
      this.#layout.cut(size);
      this.#dirty.cut(size);
      for (const { later } of this.#snapshots) later.cut(size);
    } else {
      this.#mark(this.#size, Math.min(size, this.#reach()));
    }
    this.#size = size;
    this.#generation += 1;
  }

  /** Up to here the peer may have bytes: those of its version, or of the one that is being sent. */
  #reach(): number {
    let size = this.#version?.size ?? 0;
    for (const snapshot of this.#snapshots) size = Math.max(size, snapshot.size);
    return size;
  }

  #mark(start: number, end: number): void {
    for (const set of [this.#dirty, ...[...this.#snapshots].map(({ later }) => later)]) {
      set.add(start, end);
      // Too many to send one by one: so all of it.
      if (set.count > MAX_EXTENTS) set.add(0, Math.max(this.#size, end));
    }
  }

  inMemory(): Buffer | undefined {
    if (!this.#layout.isWhole) return undefined;
    const pieces = this.read(0, this.#size);
    return pieces instanceof Promise ? undefined : Buffer.concat(pieces);
  }

  async complete(options: BaseReadOptions): Promise<void> {
    for (let gap = this.#layout.gapFrom(0); gap; gap = this.#layout.gapFrom(gap.start)) {
      options.signal.throwIfAborted();
      const { start } = gap;
      const length = Math.min(FILL_BYTES, gap.end - start);
      const pieces = await this.#base!.read(start, length, options);
      const bytes = Buffer.concat(pieces);
      await this.#alone(() => this.#put(start, bytes));
    }
  }

  /** Bytes of the base, where nothing was written meanwhile. */
  async #put(start: number, bytes: Buffer): Promise<void> {
    for (const gap of this.#layout.gapsIn(start, start + bytes.length)) {
      await this.#local.write(gap.start, bytes.subarray(gap.start - start, gap.end - start));
      this.#layout.written(gap.start, gap.end);
    }
  }

  /** Runs `work` when no write is on its way, and keeps new ones waiting until it is done. */
  async #alone(work: () => Awaitable<void>): Promise<void> {
    while (this.#exclusive !== undefined) await this.#exclusive;
    const done = this.#runAlone(work);
    this.#exclusive = done.then(
      () => (this.#exclusive = undefined),
      () => (this.#exclusive = undefined),
    );
    await done;
  }

  async #runAlone(work: () => Awaitable<void>): Promise<void> {
    await Promise.allSettled(this.#writing);
    await work();
  }
}
