import { ShareError } from './errors.js';
import type { Exchange } from './exchange.js';
import type { Headers } from './response-head.js';
import type { StoredMetadata } from './metadata.js';
import { parsePosix } from './posix-text.js';
import type { Timespec } from '../webdav/types.js';

/** Mode and times that come with the content: Davport-Posix, and X-OC-Mtime of ownCloud's clients. */
export function requestMetadata(exchange: Exchange): StoredMetadata {
  const mtime = parseOcMtime(exchange.header('x-oc-mtime'));
  const text = exchange.header('davport-posix');
  const posix = text === undefined ? {} : parsePosix(text);
  return mtime ? { mtime, ...posix } : posix;
}

/** What a client that sent X-OC-Mtime wants to hear. */
export function acceptedHeaders(exchange: Exchange): Headers {
  return exchange.header('x-oc-mtime') === undefined ? {} : { 'X-OC-Mtime': 'accepted' };
}

/** Seconds since the epoch, of some clients with a fraction. */
function parseOcMtime(header: string | undefined): Timespec | undefined {
  if (header === undefined) return undefined;
  const match = /^(\d{1,12})(?:\.(\d+))?$/.exec(header.trim());
  if (!match) throw new ShareError(400, 'malformed X-OC-Mtime');
  return { sec: Number(match[1]), nsec: Number((match[2] ?? '').slice(0, 9).padEnd(9, '0')) };
}
