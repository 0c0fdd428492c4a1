import { BLOCK_BYTES } from './runs.js';

/** Memory for blocks that are kept, used again: random reads come and go by the thousand, and each would be the garbage collector's. */

export const SPARE_BYTES = BLOCK_BYTES;
const MAX_SPARE = 64;

const spare: Buffer[] = [];

export function takeSpare(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(SPARE_BYTES);
}

/** REQUIRES: nobody uses it any more. */
export function giveSpare(block: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(block);
}
