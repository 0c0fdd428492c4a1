import { HttpError, type HttpResponse } from '../http/types.js';
import { isEntityTag } from './etag.js';
import { MultistatusReader, type MultistatusEntry } from './multistatus.js';
import { readCondition } from './small-document.js';
import { DavError } from './types.js';

/** The DavError that a response stands for. */
export function toDavError(method: string, path: string, response: HttpResponse): DavError {
  const { status, headers } = response;
  const condition = readCondition(response.body);
  const location = headers.location;
  if (status >= 300 && status < 400 && location !== undefined) {
    const message = `${method} ${path || '/'}: the server says it is at ${location}: use that address`;
    return new DavError(method, path, status, { message });
  }
  return new DavError(method, path, status, condition === undefined ? {} : { condition });
}

/** Throws unless the status is one of `accepted`. */
export function requireStatus(
  method: string,
  path: string,
  response: HttpResponse,
  accepted: readonly number[],
): void {
  if (accepted.includes(response.status)) return;
  if (response.status === 207) throwFailedPart(method, path, response.body);
  if (response.status >= 200 && response.status < 300) {
    const message = `${method} ${path || '/'} was answered with ${response.status}`;
    throw new HttpError('HTTP_PROTOCOL', message);
  }
  throw toDavError(method, path, response);
}

/** A 207 to DELETE, COPY or MOVE says what failed (RFC 4918 9.6.1); to PROPPATCH also what went well. */
export function throwFailedPart(method: string, path: string, body: Buffer): void {
  const entries: MultistatusEntry[] = [];
  const reader = new MultistatusReader((entry) => entries.push(entry), { lenient: true });
  reader.write(body);
  reader.end();
  const failed = entries.map((entry) => ({ entry, status: failedStatus(entry) }));
  // 424 says only that something else failed.
  const worst =
    failed.find(({ status }) => status !== undefined && status !== 424) ??
    failed.find(({ status }) => status !== undefined);
  if (worst?.status === undefined) return;
  const { condition } = worst.entry;
  throw new DavError(method, path, worst.status, condition === undefined ? {} : { condition });
}

function failedStatus(entry: MultistatusEntry): number | undefined {
  if (entry.status !== undefined && entry.status >= 300) return entry.status;
  const refused = [...entry.refused.values()];
  return refused.find((status) => status !== 424) ?? refused[0];
}

/**
 * The DAV If header (RFC 4918 10.4) that asks for a version. It is what phodav honours at all, and what Apache compares weakly:
 * there an ETag is weak, and useless in If-Match, for about a second after each write.
 */
export function ifVersion(etag: string): string | undefined {
  return isEntityTag(etag) ? `([${etag}])` : undefined;
}
