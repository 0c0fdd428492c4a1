/** Readers of one version of a file; which kind, is a matter of the file's size and the server's profile. */
import type { ServerProfile } from '../../webdav/types.js';
import type { ContentReader, DataOptions, FileVersion } from '../content.js';
import { ContentSource, type Settling } from './content-source.js';
import { readerFor } from './reader-for.js';

export { release } from './lent.js';
export { openContent, type OpenedContent } from './open-content.js';
export { sameTag, sameVersion, versionOf } from './versions.js';

/** A reader that fetches when it is first read. `path` is asked anew for every request: a file may be renamed meanwhile. */
export function createContentReader(
  path: () => string,
  version: FileVersion,
  profile: ServerProfile,
  options: DataOptions,
  settling?: Settling,
): ContentReader {
  return readerFor(new ContentSource(options, path, version, settling), profile, options);
}
