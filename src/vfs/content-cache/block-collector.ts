import { BLOCK_BYTES } from './cache-file.js';
import type { CachedContent } from './cached-content.js';

/** Puts blocks together from the bytes of one transfer, which come in order, and has them kept. The bytes are copied: their memory is used again. */
export class BlockCollector {
  readonly #content: Promise<CachedContent | undefined>;
  readonly #size: number;
  #block: Buffer | undefined;
  /** Bytes in #block. */
  #filled = 0;

  /** `size`: of the whole file. */
  constructor(content: Promise<CachedContent | undefined>, size: number) {
    this.#content = content;
    this.#size = size;
  }

  /** `chunk` is what the file has at `position`. */
  add(position: number, chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const inBlock = (position + at) % BLOCK_BYTES;
      const start = position + at - inBlock;
      const blockBytes = Math.min(BLOCK_BYTES, this.#size - start);
      const part = chunk.subarray(at, at + blockBytes - inBlock);
      this.#take(inBlock, part, start, blockBytes);
      at += part.length;
    }
  }

  #take(inBlock: number, part: Buffer, start: number, blockBytes: number): void {
    if (inBlock === 0) {
      this.#block = Buffer.allocUnsafeSlow(blockBytes);
      this.#filled = 0;
    }
    // A transfer that began in the middle of the block.
    if (!this.#block || this.#filled !== inBlock) {
      this.#block = undefined;
      return;
    }
    part.copy(this.#block, inBlock);
    this.#filled += part.length;
    if (this.#filled < blockBytes) return;
    const block = this.#block;
    this.#block = undefined;
    void this.#content.then((content) => content?.keep(start / BLOCK_BYTES, block));
  }
}
