import { formatHttpDate } from '../webdav/http-date.js';
import type { Coding } from './content-coding.js';
import { isCompressible } from './content-type.js';
import { etagOf } from './etag.js';
import type { Headers } from './response-head.js';
import type { FileState } from './file-state.js';
import { toTimespec } from './timespec.js';

/** What the answer to a GET says of a file of that content type. */
export function fileHeaders(type: string, stat: FileState, coding: Coding | undefined): Headers {
  const etag = etagOf(stat);
  return {
    'Content-Type': type,
    'Last-Modified': formatHttpDate(toTimespec(stat.mtimeNs)),
    // Coded bytes may differ from release to release of the library (RFC 9110 section 8.8.1).
    ETag: coding ? `W/${etag}` : etag,
    'Accept-Ranges': 'bytes',
    ...(isCompressible(type) ? { Vary: 'Accept-Encoding' } : undefined),
  };
}
