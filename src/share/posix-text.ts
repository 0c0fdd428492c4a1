/** {urn:davport:ns}posix and the Davport-Posix header: what we tell of a file and what we take of a client (doc/EXTENSIONS.md). */
import fs from 'node:fs';
import { decodeName } from '../names.js';
import { formatPosixProperty, parsePosixProperty } from '../webdav/posix-property.js';
import type { PosixProperty } from '../webdav/types.js';
import { ShareError } from './errors.js';
import type { FileState } from './file-state.js';
import type { FsPath } from './fs-path.js';
import { toTimespec } from './timespec.js';

/** `path` is read for the target when `stat` is that of a symbolic link. */
export function formatPosix(stat: FileState, path: FsPath): string {
  const target = stat.isSymbolicLink() ? readTarget(path) : undefined;
  return formatPosixProperty({
    mode: Number(stat.mode),
    mtime: toTimespec(stat.mtimeNs),
    atime: toTimespec(stat.atimeNs),
    ino: Number(stat.ino),
    nlink: Number(stat.nlink),
    // Names in two file systems may have the same number; of a file with one name nobody looks for others.
    ...(stat.nlink > 1n && !stat.isDirectory() ? { dev: Number(stat.dev) } : {}),
    ...(target === undefined ? {} : { target }),
  });
}

function readTarget(path: FsPath): string | undefined {
  try {
    return decodeName(fs.readlinkSync(path, { encoding: 'buffer' }));
  } catch {
    // Replaced since the stat: without a target, and the next listing tells what it is then.
    return undefined;
  }
}

/** Of the version a request has just stored: with its size, which the property leaves to getcontentlength. */
export function formatPosixHeader(stat: FileState, path: FsPath): string {
  return `size=${stat.size} ${formatPosix(stat, path)}`;
}

/** What a client may set. What can't be read is refused with 400, as nobody would notice that it was not done. */
export function parsePosix(text: string): Pick<PosixProperty, 'mode' | 'mtime' | 'atime'> {
  const { mode, mtime, atime } = parsePosixProperty(text);
  const named = (key: string): boolean => new RegExp(`(^|\\s)${key}=`).test(text);
  if (
    (named('mode') && mode === undefined) ||
    (named('mtime') && !mtime) ||
    (named('atime') && !atime)
  ) {
    throw new ShareError(400, 'malformed posix value');
  }
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(mtime ? { mtime } : {}),
    ...(atime ? { atime } : {}),
  };
}
