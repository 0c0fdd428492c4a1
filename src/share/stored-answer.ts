import { etagOf } from './etag.js';
import type { Headers } from './response-head.js';
import type { Place } from './place.js';
import { formatPosixHeader } from './posix-text.js';

/** Headers that describe what a request has just stored, so that the client need not ask (doc/EXTENSIONS.md). */
export function storedHeaders(place: Place): Headers {
  const { stat, path } = place;
  if (!stat) return {};
  return { ETag: etagOf(stat), 'Davport-Posix': formatPosixHeader(stat, path) };
}
