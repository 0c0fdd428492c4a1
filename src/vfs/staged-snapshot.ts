/** What an open file held at one moment, and how that differs from what the peer has. */
import { NEVER } from './awaitable.js';
import type {
  BaseContent,
  ContentChanges,
  DataOptions,
  FileVersion,
  StagingSnapshot,
} from './content.js';
import { ExtentSet, type ByteExtent } from './extent-set.js';
import type { Awaitable } from './filesystem.js';
import type { Layout } from './layout.js';
import { pieces } from './snapshot-overlay.js';
import { createStaging } from './staging.js';

export interface SnapshotParts {
  readonly options: Pick<DataOptions, 'cacheDir'>;
  /** Of what is here. */
  readonly held: StagingSnapshot;
  readonly size: number;
  readonly generation: number;
  readonly layout: Layout;
  readonly base: BaseContent | undefined;
  /** At the peer. */
  readonly version: FileVersion | undefined;
  readonly dirty: readonly ByteExtent[];
  readonly onRelease: () => void;
}

export class StagedSnapshot implements StagingSnapshot {
  readonly #parts: SnapshotParts;
  /** What was written since. */
  readonly later = new ExtentSet();

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#parts.size;
  }

  get generation(): number {
    return this.#parts.generation;
  }

  get changes(): ContentChanges | undefined {
    const { version, dirty, layout } = this.#parts;
    if (version === undefined) return undefined;
    return {
      base: version,
      extents: dirty,
      isWhole: layout.isWhole,
      complete: (signal) => this.#complete(signal),
    };
  }

  open(): AsyncIterable<Uint8Array> {
    return pieces((offset, length) => this.read(offset, length), this.size);
  }

  read(offset: number, length: number, signal: AbortSignal = NEVER): Awaitable<Buffer> {
    const { layout, held, base } = this.#parts;
    const got = layout.read(offset, offset + length, {
      // Behind what was ever written nothing is held, and all is zero.
      local: (start, count) => readHeld(held, start, Math.min(count, held.size - start)),
      base: (start, count) => base!.read(start, count, { signal, forUpload: true }),
    });
    return got instanceof Promise ? got.then(join) : join(got);
  }

  release(): void {
    this.#parts.onRelease();
    this.#parts.held.release();
  }

  async #complete(signal: AbortSignal): Promise<StagingSnapshot> {
    const copy = createStaging(this.#parts.options);
    try {
      let at = 0;
      for await (const piece of this.open()) {
        signal.throwIfAborted();
        await copy.write(at, piece);
        at += piece.length;
      }
      return copy.snapshot();
    } finally {
      await copy.close();
    }
  }
}

function readHeld(
  held: StagingSnapshot,
  offset: number,
  length: number,
): Awaitable<readonly Uint8Array[]> {
  if (length <= 0) return [];
  const got = held.read(offset, length);
  return got instanceof Promise ? got.then((piece) => [piece]) : [got];
}

function join(got: readonly Uint8Array[]): Buffer {
  const [first] = got;
  return got.length === 1 && Buffer.isBuffer(first) ? first : Buffer.concat(got);
}
