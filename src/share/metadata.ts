/** Mode and times of a file that a client sets. */
import fs, { type BigIntStats } from 'node:fs';
import type { PosixProperty, Timespec } from '../webdav/types.js';
import { ShareError } from './errors.js';
import type { FsPath } from './fs-path.js';
import type { AttributeCalls } from './options.js';
import { toTimespec } from './timespec.js';

/**
 * What a client may set of a mode: permissions and the sticky bit. Never set-user-ID or set-group-ID: the files belong to the user
 * who shares them, and a program of the guest would run as that user here.
 */
const SETTABLE_MODE = 0o1777;

const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;

export function meansLink(mode: number | undefined): boolean {
  return mode !== undefined && (mode & S_IFMT) === S_IFLNK;
}

export function settableMode(mode: number): number {
  return mode & SETTABLE_MODE;
}

/**
 * Sets mtime of what `path` names, a link itself if it is one. With the addon to the nanosecond, else to the microsecond (below); the
 * time of access stays.
 */
export function setModificationTime(
  path: FsPath,
  stat: BigIntStats,
  mtime: Timespec,
  calls: AttributeCalls | undefined,
): void {
  if (calls?.setmtime) {
    calls.setmtime(path, mtime.sec, mtime.nsec);
    return;
  }
  // node:fs takes a negative time for "now".
  if (mtime.sec < 0) throw new ShareError(403, 'a time before 1970 can not be set here');
  fs.lutimesSync(path, toSeconds(toTimespec(stat.atimeNs)), toSeconds(mtime));
}

/** libuv cuts to microseconds; a hair more keeps 0.000001 from becoming 0.000000. */
function toSeconds({ sec, nsec }: Timespec): number {
  return sec + Math.floor(nsec / 1000) / 1e6 + 2e-7;
}

/** The metadata that a PUT carries in its Davport-Posix header. */
export type StoredMetadata = Pick<PosixProperty, 'mode' | 'mtime'>;
