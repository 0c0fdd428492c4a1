/** Conditional requests: RFC 9110 section 13 in the order of section 13.2.2, then the If header of RFC 4918. */
import type { IncomingHttpHeaders } from 'node:http';
import { etagOf, strongMatch, weakMatch } from './etag.js';
import { ShareError } from './errors.js';
import { parseDate } from '../webdav/http-date.js';
import { evaluateIf, parseIfHeader, type ResourceState } from './if-header.js';
import { toTimespec } from './timespec.js';
import type { FileState } from './file-state.js';

export type Verdict = 'go on' | 'not modified' | 'failed';

/** The conditions of RFC 9110; `stat` undefined: nothing is there. */
export function evaluateConditions(
  method: string,
  headers: IncomingHttpHeaders,
  stat: FileState | undefined,
): Verdict {
  const reading = method === 'GET' || method === 'HEAD';
  const match = headers['if-match'];
  if (match !== undefined) {
    if (!listMatches(match, stat, strongMatch)) return 'failed';
  } else if (modifiedAfter(headers['if-unmodified-since'], stat)) {
    return 'failed';
  }
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) {
    if (!listMatches(noneMatch, stat, weakMatch)) return 'go on';
    return reading ? 'not modified' : 'failed';
  }
  const since = headers['if-modified-since'];
  if (reading && since !== undefined && stat && parseDate(since) !== undefined) {
    if (!modifiedAfter(since, stat)) return 'not modified';
  }
  return 'go on';
}

/** Both kinds, for everything that is no GET: throws ShareError 412. */
export function requireConditions(
  method: string,
  headers: IncomingHttpHeaders,
  stat: FileState | undefined,
  stateOf: (resource: string | undefined) => ResourceState,
): void {
  if (evaluateConditions(method, headers, stat) === 'failed') throw preconditionFailed();
  requireIf(headers, stat, stateOf);
}

export function requireIf(
  headers: IncomingHttpHeaders,
  stat: FileState | undefined,
  stateOf: (resource: string | undefined) => ResourceState,
): void {
  const header = headers['if'];
  if (typeof header !== 'string') return;
  // Of the resource of the request the state is the one that is about to be changed, or sent.
  const own: ResourceState = {
    etag: stat && etagOf(stat),
    hasToken: (token) => stateOf(undefined).hasToken(token),
  };
  const holds = evaluateIf(parseIfHeader(header), (resource) =>
    resource === undefined ? own : stateOf(resource),
  );
  if (!holds) throw preconditionFailed();
}

/**
 * If-Range (section 13.1.5): may the range be sent? A date must be the very one, and of a second that is over: in the same one the file
 * may change once more (section 8.8.2.2).
 */
export function ifRangeHolds(
  header: string | undefined,
  stat: FileState,
  now = Date.now(),
): boolean {
  if (header === undefined) return true;
  if (header.includes('"')) return strongMatch(header.trim(), etagOf(stat));
  const changed = stat.ctimeNs > stat.mtimeNs ? stat.ctimeNs : stat.mtimeNs;
  if (now - 1000 < Number(changed / 1_000_000n)) return false;
  return parseDate(header)?.sec === wholeSeconds(stat);
}

export function preconditionFailed(): ShareError {
  return new ShareError(412, 'a precondition of the request does not hold');
}

function listMatches(
  header: string,
  stat: FileState | undefined,
  same: (a: string, b: string) => boolean,
): boolean {
  if (!stat) return false;
  if (header.trim() === '*') return true;
  const etag = etagOf(stat);
  return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((candidate) => same(candidate, etag));
}

function modifiedAfter(date: string | undefined, stat: FileState | undefined): boolean {
  const seconds = date === undefined ? undefined : parseDate(date)?.sec;
  return seconds !== undefined && stat !== undefined && wholeSeconds(stat) > seconds;
}

function wholeSeconds(stat: FileState): number {
  return toTimespec(stat.mtimeNs).sec;
}
