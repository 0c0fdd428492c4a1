/** Which part of a file a request changes: Content-Range of a PUT (RFC 9110 section 14.5), X-Update-Range of a PATCH (doc/EXTENSIONS.md). */
import { ShareError } from './errors.js';
import type { Exchange } from './exchange.js';

/** Of a PATCH. Of SabreDAV, known to other clients, too: the body is the bytes themselves. */
export const PATCH_TYPE = 'application/x-sabredav-partialupdate';

export interface PartialUpdate {
  /** Length of the body where the request says it. */
  readonly length: number | undefined;
  /** Length of the file afterwards; undefined: as it comes. */
  readonly size: number | undefined;
  /** The body has a table of so many extents, which says where its bytes go. */
  readonly extents?: number;
  /** Where the body goes in a file of this size, if it has no table. */
  startIn(size: number): number;
}

/** Offsets beyond are beyond all files. */
const OFFSET = /^\d{1,15}$/;

/** `bytes first-last/length`; the length may be `*`, and isn't used but for a check: other parts may be still to come. */
export function parseContentRange(header: string, size: number | undefined): PartialUpdate {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(header.trim());
  const [, first = '', last = '', whole = ''] = match ?? [];
  if (!OFFSET.test(first) || !OFFSET.test(last)) throw malformed(400);
  const [start, end] = [Number(first), Number(last) + 1];
  if (start >= end || (whole !== '*' && Number(whole) < end)) throw malformed(400);
  return { length: end - start, size, startIn: () => start };
}

/** `bytes=first-last`, `bytes=first-`, `bytes=-fromEnd` or `append`. */
export function parseUpdateRange(header: string, size: number | undefined): PartialUpdate {
  const text = header.trim().toLowerCase();
  if (text === 'append') return { length: undefined, size, startIn: (before) => before };
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(text) ?? [];
  if (first === undefined || last === undefined)
    throw new ShareError(400, 'malformed X-Update-Range');
  if (first === '') {
    if (!OFFSET.test(last)) throw malformed(416);
    const startIn = (before: number): number => {
      if (Number(last) > before) throw malformed(416);
      return before - Number(last);
    };
    return { length: undefined, size, startIn };
  }
  if (!OFFSET.test(first) || (last !== '' && !OFFSET.test(last))) throw malformed(416);
  const start = Number(first);
  if (last !== '' && Number(last) < start) throw malformed(416);
  const length = last === '' ? undefined : Number(last) + 1 - start;
  return { length, size, startIn: () => start };
}

/** The key `size` of Davport-Posix. */
export function parseSize(header: string | undefined): number | undefined {
  const value = /(?:^|\s)size=(\S*)/.exec(header ?? '')?.[1];
  if (value === undefined) return undefined;
  if (!OFFSET.test(value)) throw new ShareError(400, 'malformed size');
  return Number(value);
}

/** Before the body, where its length was announced, and when it has come. */
export function checkBodyLength(
  exchange: Exchange,
  { length }: PartialUpdate,
  actual: number | undefined,
): void {
  if (length === undefined || actual === undefined || length === actual) return;
  throw malformed(exchange.method === 'PATCH' ? 416 : 400);
}

function malformed(status: number): ShareError {
  return new ShareError(
    status,
    'the range is malformed, not in the file, or not as long as the body',
  );
}
