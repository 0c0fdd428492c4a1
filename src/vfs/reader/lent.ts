/** Which segments the bytes of an answer are in, until whoever asked has used them. */
import type { Segment } from './segment.js';

const lenders = new WeakMap<readonly Uint8Array[], Segment[]>();

export function lend(pieces: readonly Uint8Array[], from: Segment): void {
  const segments = lenders.get(pieces);
  if (segments) segments.push(from);
  else lenders.set(pieces, [from]);
}

/** `pieces` was answered by a reader, and nobody looks at it any more. Whoever doesn't say so only keeps its memory from being used again. */
export function release(pieces: readonly Uint8Array[]): void {
  const segments = lenders.get(pieces);
  if (!segments) return;
  lenders.delete(pieces);
  for (const segment of segments) segment.release();
}
