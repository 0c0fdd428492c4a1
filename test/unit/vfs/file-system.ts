import { silentLogger } from '../../../src/log.js';
import {
  createDavFileSystem,
  type DavFileSystem,
  type DavFileSystemOptions,
} from '../../../src/vfs/dav-filesystem.js';
import { makeTempDir } from '../../support/temp-dir.js';

/** A file system of root's, without a kernel, that keeps what it is told for the given times. */
export function makeFileSystem(
  options: Pick<DavFileSystemOptions, 'client' | 'attrTtlMs' | 'negativeTtlMs'> &
    Partial<DavFileSystemOptions>,
): DavFileSystem {
  return createDavFileSystem({
    log: silentLogger,
    cacheDir: makeTempDir('davport-cache-'),
    readAheadBytes: 1024 * 1024,
    uid: 0,
    gid: 0,
    fmask: 0,
    dmask: 0,
    ...options,
  });
}
