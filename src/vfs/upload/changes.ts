/** The changed parts of a file, as bodies of requests. */
import type { HttpBody } from '../../http/types.js';
import type { ContentChanges, FileVersion, StagingSnapshot } from '../content.js';
import { bytesBefore, type ByteExtent } from '../extent-set.js';
import { bytesOf } from './attempts.js';
import { WHOLE_BODY_BYTES, type UploadJob } from './job.js';

export interface ChangedJob extends UploadJob {
  readonly changes: ContentChanges;
  readonly base: FileVersion & { readonly etag: string };
}

/** The bytes of all parts, one behind the other. Undefined: there are none. */
export async function bodyOfParts(
  content: StagingSnapshot,
  parts: readonly ByteExtent[],
): Promise<HttpBody | undefined> {
  const size = bytesBefore(parts);
  if (size === 0) return undefined;
  const open = (): AsyncIterable<Uint8Array> => bytesOf(content, parts);
  if (size > WHOLE_BODY_BYTES) return { size, open };
  const pieces: Uint8Array[] = [];
  for await (const piece of open()) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
