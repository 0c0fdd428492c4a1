import { DavError, type Resource } from '../../webdav/types.js';
import type { ByteExtent } from '../extent-set.js';
import { statOrAbsent, type UploadJob } from './job.js';

/** It may change between the two requests, but not again and again. */
const MAX_ATTEMPTS = 3;

export interface FoundPart {
  readonly resource: Resource;
  readonly etag: string;
  /** Fewer where the file ends before the part does. */
  readonly bytes: Buffer;
}

/** What the peer has there now. Undefined: nothing that could be ours. */
export async function findPart(
  job: UploadJob,
  { start, end }: ByteExtent,
): Promise<FoundPart | undefined> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const resource = await statOrAbsent(job, job.target.path);
    const etag = resource?.etag;
    if (resource?.kind !== 'file' || etag === undefined) return undefined;
    const part = { start, end: Math.min(end, resource.size) };
    const bytes = await readPart(job, part, etag);
    if (bytes !== undefined) return { resource, etag, bytes };
  }
  return undefined;
}

/** Undefined: the peer has another version. */
export async function readPart(
  { client, target, signal }: UploadJob,
  { start, end }: ByteExtent,
  etag: string,
): Promise<Buffer | undefined> {
  if (start >= end) return Buffer.alloc(0);
  const pieces: Buffer[] = [];
  const sink = { onData: (chunk: Buffer) => void pieces.push(chunk) };
  try {
    await client.get(target.path, sink, { signal, start, end, etag });
    return Buffer.concat(pieces);
  } catch (error) {
    if (error instanceof DavError && [404, 410, 412, 416].includes(error.status)) return undefined;
    throw error;
  }
}

/** Are they ours up to some byte, and from there on what was there before? */
export function isMixOf(bytes: Buffer, before: Buffer, after: Buffer): boolean {
  let ours = 0;
  while (ours < bytes.length && bytes[ours] === after[ours]) ours += 1;
  return bytes.subarray(ours).equals(before.subarray(ours));
}
