/** Which way changed content goes to the peer (doc/SEMANTICS.md has the table). */
import { takesExtents } from '../../webdav/server-profile.js';
import type { ServerProfile } from '../../webdav/types.js';
import type { ContentChanges } from '../content.js';
import { bytesBefore } from '../extent-set.js';

/** Up to here a whole PUT is one request anyway. */
export const SMALL_BYTES = 256 * 1024;
/** In one request to our own share, which takes four times as many. */
const MAX_EXTENTS = 4096;

/** `extents`: any number of parts, and a new length, by one request that is done as a whole or not at all. */
export type PartsWay = 'extents';

/** Undefined: the server takes whole files only. */
export function partsWay(profile: ServerProfile): PartsWay | undefined {
  return profile.name === 'davport' && takesExtents(profile) ? 'extents' : undefined;
}

/** Are the changes alone to be sent? */
export function sendsParts(
  profile: ServerProfile,
  size: number,
  { base, extents, isWhole }: ContentChanges,
): boolean {
  if (partsWay(profile) === undefined || base.etag === undefined) return false;
  // A whole file takes the place of the old one at once, also if the share is killed in that moment.
  if (size <= SMALL_BYTES && isWhole) return false;
  if (extents.length > MAX_EXTENTS) return false;
  const kept = Math.min(base.size, size);
  // To complete it would be a request more.
  if (kept <= SMALL_BYTES && !isWhole) return true;
  return bytesBefore(extents, kept) <= kept / 2;
}
