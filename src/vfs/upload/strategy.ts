/** Which way changed content goes to the peer (doc/SEMANTICS.md has the table). */
import { isWeak } from '../../webdav/etag.js';
import { takesExtents, takesPatch } from '../../webdav/server-profile.js';
import type { ServerProfile } from '../../webdav/types.js';
import type { ContentChanges } from '../content.js';
import { bytesBefore, type ByteExtent } from '../extent-set.js';

/** Up to here a whole PUT is one request anyway. */
export const SMALL_BYTES = 256 * 1024;
/** In one request to our own share, which takes four times as many. */
const MAX_EXTENTS = 4096;
/** In place, where what is cut short stays half done: few and small, so that there is hardly a moment for it. */
const MAX_IN_PLACE = 8;
const MAX_IN_PLACE_BYTES = 256 * 1024;
/** Up to here a version that the server doesn't vouch for yet isn't waited for: the whole file is sent as fast. */
export const WAITED_FOR_BYTES = 32 * 1024 * 1024;

/**
 * `extents`: any number of parts, and a new length, by one request that is done as a whole or not at all.
 * `patch`, `put`: one part by one request, written into the file while it arrives; by PATCH, or by PUT with Content-Range.
 */
export type PartsWay = 'extents' | 'patch' | 'put';

/** Undefined: the server takes whole files only. `put`: it has to be tried before (`RangeProbe`). */
export function partsWay(profile: ServerProfile): PartsWay | undefined {
  const { name } = profile;
  if (name === 'davport') return takesExtents(profile) ? 'extents' : undefined;
  if (name === 'sabredav') return takesPatch(profile) ? 'patch' : undefined;
  return name === 'apache' ? 'put' : undefined;
}

/** Are the changes alone to be sent? */
export function sendsParts(profile: ServerProfile, size: number, changes: ContentChanges): boolean {
  const way = partsWay(profile);
  if (way === undefined || changes.base.etag === undefined) return false;
  return way === 'extents' ? sendsExtents(size, changes) : sendsInPlace(size, changes);
}

function sendsExtents(size: number, { base, extents, isWhole }: ContentChanges): boolean {
  // A whole file takes the place of the old one at once, also if the share is killed in that moment.
  if (size <= SMALL_BYTES && isWhole) return false;
  if (extents.length > MAX_EXTENTS) return false;
  const kept = Math.min(base.size, size);
  // To complete it would be a request more.
  if (kept <= SMALL_BYTES && !isWhole) return true;
  return bytesBefore(extents, kept) <= kept / 2;
}

function sendsInPlace(size: number, changes: ContentChanges): boolean {
  const { base, extents } = changes;
  if (base.size <= SMALL_BYTES || size < base.size) return false;
  // What is written anew takes the place of the old at once.
  if (bytesBefore(extents, base.size) > base.size / 2) return false;
  if (isWeak(base.etag!) && size <= WAITED_FOR_BYTES) return false;
  const parts = inPlaceParts(size, changes);
  return parts.length <= MAX_IN_PLACE && bytesBefore(parts) <= MAX_IN_PLACE_BYTES;
}

/** With the last byte of a file that was made longer: there is no other way to say so. */
export function inPlaceParts(
  size: number,
  { base, extents }: ContentChanges,
): readonly ByteExtent[] {
  const end = extents.at(-1)?.end ?? 0;
  return Math.max(end, base.size) < size ? [...extents, { start: size - 1, end: size }] : extents;
}
