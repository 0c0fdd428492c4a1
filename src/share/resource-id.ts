import { createHash } from 'node:crypto';
import type { FileState } from './file-state.js';

/** A namespace of our own for the names below. */
const NAMESPACE = Buffer.from('6f1d9c3e5b0a4c5e9a7d2f41c8e6b013', 'hex');

/**
 * DAV:resource-id (RFC 5842 section 3.1): equal for all names of one file. An inode number is given away again; together with the time
 * of birth it is not. As a UUID by name (RFC 9562 section 5.5).
 */
export function resourceIdOf({ dev, ino, birthtimeNs }: FileState): string {
  const hash = createHash('sha1').update(NAMESPACE).update(`${dev}:${ino}:${birthtimeNs}`);
  const bytes = hash.digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const groups = [0, 8, 12, 16, 20].map((at, i, all) => hex.slice(at, all[i + 1]));
  return `urn:uuid:${groups.join('-')}`;
}
