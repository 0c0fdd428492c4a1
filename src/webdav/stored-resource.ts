import type { HttpResponse } from '../http/types.js';
import { parsePosixProperty } from './posix-property.js';
import type { Resource } from './types.js';

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** Our share describes what a change has left: `Davport-Posix: size=… mode=… mtime=…` and ETag. Other servers' answers say nothing. */
export function storedResource({ headers }: HttpResponse): Resource | undefined {
  const text = headers['davport-posix'];
  const size = /(?:^|\s)size=(\d{1,15})(?:\s|$)/.exec(text ?? '')?.[1];
  if (text === undefined || headers.etag === undefined || size === undefined) return undefined;
  const posix = parsePosixProperty(text);
  return {
    name: '',
    kind: ((posix.mode ?? 0) & S_IFMT) === S_IFDIR ? 'collection' : 'file',
    size: Number(size),
    mtime: posix.mtime,
    created: undefined,
    etag: headers.etag,
    executable: posix.mode === undefined ? undefined : (posix.mode & 0o111) !== 0,
    posix,
  };
}
