/** Mode and times of a file that a client sets. */
import fs from 'node:fs';
import type { PosixProperty, Timespec } from '../webdav/types.js';
import { ShareError } from './errors.js';
import type { FsPath } from './fs-path.js';
import type { SystemCalls } from './options.js';
import { toTimespec } from './timespec.js';
import type { FileState } from './file-state.js';

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

/** The times of a file that a client may set; what isn't named stays. */
export type SettableTimes = Pick<PosixProperty, 'atime' | 'mtime'>;

/** Sets times of what `path` names, a link itself if it is one. With the addon to the nanosecond, else to the microsecond (below). */
export function setTimes(
  path: FsPath,
  stat: FileState,
  { atime, mtime }: SettableTimes,
  calls: SystemCalls | undefined,
): void {
  if (!atime && !mtime) return;
  if (calls?.settimes) {
    const [a, m] = [atime ?? STAYS, mtime ?? STAYS];
    calls.settimes(path, a.sec, a.nsec, m.sec, m.nsec);
    return;
  }
  // node:fs takes a negative time for "now".
  const isBeforeEpoch = (time: Timespec | undefined): boolean => (time?.sec ?? 0) < 0;
  if (isBeforeEpoch(atime) || isBeforeEpoch(mtime)) {
    throw new ShareError(403, 'a time before 1970 can not be set here');
  }
  const [a, m] = [atime ?? toTimespec(stat.atimeNs), mtime ?? toTimespec(stat.mtimeNs)];
  fs.lutimesSync(path, toSeconds(a), toSeconds(m));
}

/** As `settimes` of the addon has it. */
const STAYS: Timespec = { sec: 0, nsec: -1 };

/** libuv cuts to microseconds; a hair more keeps 0.000001 from becoming 0.000000. */
function toSeconds({ sec, nsec }: Timespec): number {
  return sec + Math.floor(nsec / 1000) / 1e6 + 2e-7;
}

/** The metadata that a PUT carries in its Davport-Posix header. */
export type StoredMetadata = Pick<PosixProperty, 'mode'> & SettableTimes;
