/** A small file that is there when it is opened: its pages are given to the kernel with the open, which then asks for none of them. */
import { NEVER } from './awaitable.js';
import type { Core } from './core.js';
import type { FileData } from './file-data.js';
import type { Node } from './node.js';
import { release } from './reader/lent.js';

/** What one READ of the kernel would bring. */
const MAX_BYTES = 128 * 1024;

/** Before the open of `node` is answered. True: the kernel has the content. */
export function giveFirstPages(
  { invalidator }: Core,
  node: Node,
  { reader, handles }: FileData,
): boolean {
  if (reader === undefined || reader.isHere !== true || invalidator?.store === undefined)
    return false;
  const { size } = reader.version;
  if (size === 0 || size > MAX_BYTES || size !== node.told?.size) return false;
  // Nobody reads it, and nobody has: no page is locked, and none is of another version.
  if (node.opened || handles > 0) return false;
  const content = reader.read(0, size, { signal: NEVER });
  if (content instanceof Promise) return false;
  try {
    return invalidator.store(node.id, content);
  } finally {
    release(content);
  }
}
