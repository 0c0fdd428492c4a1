/** The most frequent request of all: a GET of a whole small file. Three system calls less than the general way (file-answer.ts), and no promise. */
import type { IncomingHttpHeaders } from 'node:http';
import { evaluateConditions } from './conditional.js';
import { MIN_CODED_BYTES } from './content-coding.js';
import { contentTypeOf, isCompressible } from './content-type.js';
import type { Exchange } from './exchange.js';
import { fileHeaders } from './file-headers.js';
import type { Place } from './place.js';

/** Up to this size a file is read at once and sent with its head: one read, one write. */
export const SMALL_BYTES = 64 * 1024;

/** False: nothing was done, the general way has to be taken. */
export function answerSmallFile(exchange: Exchange, place: Place): boolean {
  const { context, method, req } = exchange;
  const { size } = place.existing();
  if (method !== 'GET' || place.kind !== 'file' || size > SMALL_BYTES) return false;
  const type = contentTypeOf(place.name);
  if (asksForMore(req.headers) || mayBeCoded(req.headers, type, size)) return false;
  const file = place.readWhole();
  // Half of a change in place is no version.
  if (!file || context.contentLocks.beingChanged(file.stat)) return false;
  const verdict = evaluateConditions(method, req.headers, file.stat);
  if (verdict === 'failed') return false;
  const headers = fileHeaders(type, file.stat, undefined);
  if (verdict === 'not modified') exchange.respond(304, headers);
  else exchange.respond(200, headers, file.bytes);
  return true;
}

/** A part, a digest, or a version for which the state after the read counts, too. */
function asksForMore(headers: IncomingHttpHeaders): boolean {
  return (
    headers.range !== undefined ||
    headers.if !== undefined ||
    headers['if-match'] !== undefined ||
    headers['if-range'] !== undefined ||
    headers['want-repr-digest'] !== undefined
  );
}

function mayBeCoded(headers: IncomingHttpHeaders, type: string, size: bigint): boolean {
  return (
    headers['accept-encoding'] !== undefined && size >= MIN_CODED_BYTES && isCompressible(type)
  );
}
