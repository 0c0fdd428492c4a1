/**
 * Memory that bytes of a channel are received into. What arrives is handed on as slices and never copied; whoever is the last to hold a
 * slice may give it back, and when all of a block has come back it is used again. A slice that nobody gives back costs nothing but
 * that: its block is left to the garbage collector. Without reuse, reading 256 MiB makes the collector walk the heap for as long as
 * all other work takes, since each block counts as memory of its own.
 */

const BLOCK_BYTES = 256 * 1024;
/** Blocks kept for later: as much as the windows that one reader has on their way. */
const MAX_FREE_BLOCKS = 64;

interface Block {
  readonly memory: Buffer;
  readonly owner: ReceiveMemory;
  /** Bytes handed out and not given back. */
  lentBytes: number;
  /** Nothing more will be received into it. */
  full: boolean;
}

const blocks = new WeakMap<ArrayBufferLike, Block>();

/** One per channel session. */
export class ReceiveMemory {
  readonly #leastRoom: number;
  readonly #free: Block[] = [];
  #current: Block | undefined;
  #position = 0;

  /** `leastRoom`: bytes that must be there for one read, at least. */
  constructor(leastRoom: number) {
    this.#leastRoom = leastRoom;
  }

  /** Where the next bytes go. */
  room(): Buffer {
    if (!this.#current || BLOCK_BYTES - this.#position < this.#leastRoom) this.#begin();
    return this.#current!.memory.subarray(this.#position);
  }

  /** The next `bytes` of `room()` have been received: the receiver's from now on, until it gives them back. */
  take(bytes: number): Buffer {
    const block = this.#current!;
    const start = this.#position;
    this.#position += bytes;
    block.lentBytes += bytes;
    return block.memory.subarray(start, this.#position);
  }

  /** REQUIRES: all of the block came back. */
  reuse(block: Block): void {
    if (this.#free.length < MAX_FREE_BLOCKS) this.#free.push(block);
  }

  #begin(): void {
    const former = this.#current;
    if (former) {
      former.full = true;
      if (former.lentBytes === 0) this.reuse(former);
    }
    this.#current = this.#free.pop() ?? this.#make();
    this.#current.full = false;
    this.#position = 0;
  }

  #make(): Block {
    const memory = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const block: Block = { memory, owner: this, lentBytes: 0, full: false };
    blocks.set(memory.buffer, block);
    return block;
  }
}

/**
 * Nobody looks at these `bytes` of received memory any more. REQUIRES: given back once, and no slice of them is in use. Of other memory
 * nothing is remembered, and giving it back does nothing.
 */
export function giveBack(memory: ArrayBufferLike, bytes: number): void {
  const block = blocks.get(memory);
  if (!block) return;
  block.lentBytes -= bytes;
  if (block.full && block.lentBytes === 0) block.owner.reuse(block);
}
