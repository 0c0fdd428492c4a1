import { randomBytes } from 'node:crypto';
import type { ByteRange } from './range.js';

/** What is sent one after the other: bytes at hand, or a range of the file. */
export type Segment = Buffer | ByteRange;

/** A body of several ranges: multipart/byteranges (RFC 9110 section 14.6). */
export function multipart(
  contentType: string,
  size: number,
  ranges: readonly ByteRange[],
): { readonly type: string; readonly segments: readonly Segment[] } {
  // Random, so that no file has it in it but by a chance that isn't.
  const boundary = randomBytes(18).toString('base64url');
  const segments: Segment[] = [];
  for (const range of ranges) {
    const place = `bytes ${range.start}-${range.end - 1}/${size}`;
    const head = `--${boundary}\r\nContent-Type: ${contentType}\r\nContent-Range: ${place}\r\n\r\n`;
    segments.push(Buffer.from(segments.length === 0 ? head : `\r\n${head}`), range);
  }
  segments.push(Buffer.from(`\r\n--${boundary}--\r\n`));
  return { type: `multipart/byteranges; boundary=${boundary}`, segments };
}

export function lengthOf(segment: Segment): number {
  return Buffer.isBuffer(segment) ? segment.length : segment.end - segment.start;
}
