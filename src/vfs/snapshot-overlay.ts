import type { Awaitable } from './filesystem.js';
import { ScratchFile } from './scratch-file.js';

const BLOCK_BYTES = 64 * 1024;
const PIECE_BYTES = 256 * 1024;

/**
 * What a file held at one moment, while it goes on being written: before a block of it is overwritten, the block is put aside.
 *
 * INVARIANT: a block is in #aside (with its promise fulfilled) before a write to it in the file begins. So a block read from the file
 * that isn't in #aside after the read is as it was at the moment.
 */
export class SnapshotOverlay {
  readonly #file: ScratchFile;
  readonly #folder: string;
  readonly #size: number;
  /** Writes that were on their way at the moment belong to it; resolves when they are done. */
  readonly #complete: Promise<unknown>;
  /** Blocks put aside or about to be, by number. */
  readonly #aside = new Map<number, Promise<void>>();
  #side: Promise<ScratchFile> | undefined;
  #released = false;

  constructor(
    file: ScratchFile,
    options: {
      readonly folder: string;
      readonly size: number;
      readonly complete: Promise<unknown>;
    },
  ) {
    this.#file = file;
    this.#folder = options.folder;
    this.#size = options.size;
    this.#complete = options.complete;
    file.retain();
  }

  /** Resolves when [start, end) of the file may be overwritten. */
  async putAside(start: number, end: number): Promise<void> {
    await this.#complete;
    if (this.#released) return;
    const blocks: Promise<void>[] = [];
    const last = Math.min(end, this.#size);
    for (let at = start - (start % BLOCK_BYTES); at < last; at += BLOCK_BYTES) {
      let block = this.#aside.get(at);
      if (!block) {
        block = this.#copyBlock(at);
        this.#aside.set(at, block);
      }
      blocks.push(block);
    }
    await Promise.all(blocks);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    await this.#complete;
    const piece = await this.#file.read(offset, length);
    for (let at = offset - (offset % BLOCK_BYTES); at < offset + length; at += BLOCK_BYTES) {
      if (!(await this.#isAside(at))) continue;
      const from = Math.max(at, offset);
      const to = Math.min(at + BLOCK_BYTES, offset + length);
      (await this.#sideRead(from, to - from)).copy(piece, from - offset);
    }
    return piece;
  }

  release(): void {
    this.#released = true;
    this.#file.close();
    this.#side?.then(
      (side) => side.close(),
      () => undefined,
    );
  }

  /** False also for a block that couldn't be put aside: then the write to it has failed, too, or waits for the next attempt. */
  async #isAside(at: number): Promise<boolean> {
    for (let block = this.#aside.get(at); block; block = this.#aside.get(at)) {
      try {
        await block;
        return true;
      } catch {
        if (this.#aside.get(at) === block) this.#aside.delete(at);
      }
    }
    return false;
  }

  async #copyBlock(at: number): Promise<void> {
    try {
      this.#side ??= ScratchFile.open(this.#folder);
      const side = await this.#side;
      const bytes = await this.#file.read(at, Math.min(BLOCK_BYTES, this.#size - at));
      await side.write(at, bytes);
    } catch (error) {
      // Nobody reads the snapshot any more: the write may go on.
      if (this.#released) return;
      this.#aside.delete(at);
      throw error;
    }
  }

  async #sideRead(offset: number, length: number): Promise<Buffer> {
    const side = await this.#side!;
    return side.read(offset, length);
  }
}

/** One snapshot's way to its bytes. */
export interface Held {
  readonly read: (offset: number, length: number) => Awaitable<Buffer>;
  readonly release: () => void;
}

export async function putAsideAndWrite(
  file: ScratchFile,
  snapshots: readonly SnapshotOverlay[],
  offset: number,
  data: Uint8Array,
): Promise<void> {
  const end = offset + data.length;
  await Promise.all(snapshots.map((snapshot) => snapshot.putAside(offset, end)));
  await file.write(offset, data);
}

/** [0, size) in order, for a body. */
export async function* pieces(
  read: (offset: number, length: number) => Awaitable<Buffer>,
  size: number,
): AsyncGenerator<Uint8Array> {
  const pieceAt = (offset: number): Awaitable<Buffer> =>
    read(offset, Math.min(PIECE_BYTES, size - offset));
  let next: Awaitable<Buffer> | undefined = size > 0 ? pieceAt(0) : undefined;
  for (let offset = 0; next !== undefined;) {
    const piece: Buffer = await next;
    offset += piece.length;
    // One piece ahead: the disk works while the channel takes the piece before.
    next = offset < size ? pieceAt(offset) : undefined;
    if (next instanceof Promise) next.catch(() => undefined);
    yield piece;
  }
}
