/** Times that servers tell more precisely in the ETag than in getlastmodified, which has whole seconds (RFC 9110 5.6.7). */
import { opaqueTag } from './etag.js';
import type { ServerProfile, Timespec } from './types.js';

/** The time of the last change in the ETag. Undefined: none there, or not one of getlastmodified's second. */
export function etagTime(
  etag: string,
  modified: Timespec | undefined,
  profile: ServerProfile,
): Timespec | undefined {
  if (profile.name === 'phodav') return phodavTime(etag);
  if (profile.name !== 'apache') return undefined;
  const time = apacheTime(etag);
  return time !== undefined && time.sec === modified?.sec ? time : undefined;
}

/** GLib's etag is the time of the last change: "sec:usec:nsec", before 2.74 "sec:usec". */
function phodavTime(etag: string): Timespec | undefined {
  const match = /^"(-?\d{1,15}):(\d{1,6})(?::(\d{1,9}))?"$/.exec(etag);
  if (!match) return undefined;
  const nsec = match[3] === undefined ? Number(match[2]) * 1000 : Number(match[3]);
  return { sec: Number(match[1]), nsec };
}

/** What FileETag makes of a file: "[inode-]size-mtime", each hexadecimal, the time in microseconds. */
function apacheTime(etag: string): Timespec | undefined {
  const match = /^"(?:[\da-f]{1,16}-){1,2}([\da-f]{1,13})"$/.exec(opaqueTag(etag));
  if (!match) return undefined;
  const usec = parseInt(match[1]!, 16);
  return { sec: Math.floor(usec / 1e6), nsec: (usec % 1e6) * 1000 };
}
