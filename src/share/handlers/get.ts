import fs, { type BigIntStats } from 'node:fs';
import { evaluateConditions, ifRangeHolds, preconditionFailed, requireIf } from '../conditional.js';
import { contentTypeOf } from '../content-type.js';
import { ShareError } from '../errors.js';
import { etagOf } from '../etag.js';
import type { Exchange, Headers } from '../exchange.js';
import { formatHtmlListing } from '../html-listing.js';
import { formatHttpDate } from '../../webdav/http-date.js';
import { toTimespec } from '../timespec.js';
import { parseRange, type ByteRange } from '../range.js';
import { resourceStates } from '../resource-states.js';
import type { Place } from '../place.js';

/** Up to this size a file is read at once and sent with its head: one read, one write. */
const SMALL_BYTES = 64 * 1024;
/** Longer ones go in pieces of this size, one being read while the one before is sent. */
const CHUNK_BYTES = 256 * 1024;

/** GET and HEAD (RFC 9110 sections 9.3.1, 9.3.2). */
export async function handleGet(exchange: Exchange): Promise<void> {
  const { context, target } = exchange;
  const place = context.root.locate(target.segments, true);
  try {
    place.existing();
    if (context.tempNames.isActive(place.name)) throw new ShareError(404, 'not there yet');
    if (place.kind === 'collection') {
      const html = await formatHtmlListing(exchange, place);
      exchange.respond(200, { 'Content-Type': 'text/html; charset=utf-8' }, html);
      return;
    }
    const { fd, stat } = place.openFile();
    try {
      await new FileAnswer(exchange, place, fd, stat).send();
    } finally {
      fs.closeSync(fd);
    }
  } finally {
    place.close();
  }
}

class FileAnswer {
  readonly #exchange: Exchange;
  readonly #place: Place;
  readonly #fd: number;
  readonly #stat: BigIntStats;

  constructor(exchange: Exchange, place: Place, fd: number, stat: BigIntStats) {
    this.#exchange = exchange;
    this.#place = place;
    this.#fd = fd;
    this.#stat = stat;
  }

  /** A promise only when it doesn't fit in one piece. */
  send(): Promise<void> | undefined {
    const { method, req } = this.#exchange;
    const size = Number(this.#stat.size);
    const verdict = evaluateConditions(method, req.headers, this.#stat);
    if (verdict === 'failed') throw preconditionFailed();
    requireIf(req.headers, this.#stat, resourceStates(this.#exchange));
    const headers = this.#headers();
    if (verdict === 'not modified') {
      this.#exchange.respond(304, headers);
      return undefined;
    }
    // Range is defined for GET alone (RFC 9110 section 14.2).
    const wanted = method === 'GET' && ifRangeHolds(this.#exchange.header('if-range'), this.#stat);
    const range = parseRange(wanted ? req.headers.range : undefined, size);
    if (range === 'unsatisfiable') {
      throw new ShareError(416, 'the range is not in the file', {
        headers: { 'Content-Range': `bytes */${size}` },
      });
    }
    if (range === 'whole') return this.#body(200, headers, { start: 0, end: size });
    const contentRange = `bytes ${range.start}-${range.end - 1}/${size}`;
    return this.#body(206, { ...headers, 'Content-Range': contentRange }, range);
  }

  #headers(): Headers {
    return {
      'Content-Type': contentTypeOf(this.#place.name),
      'Last-Modified': formatHttpDate(toTimespec(this.#stat.mtimeNs)),
      ETag: etagOf(this.#stat),
      'Accept-Ranges': 'bytes',
    };
  }

  #body(status: number, headers: Headers, { start, end }: ByteRange): Promise<void> | undefined {
    const { method, res } = this.#exchange;
    const length = end - start;
    if (method === 'HEAD') {
      res.writeHead(status, { ...headers, 'Content-Length': length });
      res.end();
      return undefined;
    }
    if (length > SMALL_BYTES) {
      res.writeHead(status, { ...headers, 'Content-Length': length });
      return this.#stream(start, end);
    }
    const buffer = Buffer.allocUnsafe(length);
    if (readFully(this.#fd, buffer, start) < length) throw changed();
    this.#checkVersion();
    this.#exchange.respond(status, headers, buffer);
    return undefined;
  }

  async #stream(start: number, end: number): Promise<void> {
    const { res } = this.#exchange;
    let ahead = readPiece(this.#fd, start, Math.min(CHUNK_BYTES, end - start));
    for (let at = start; at < end;) {
      const piece = await ahead;
      // The file shrank: the connection breaks off, for the length was promised.
      if (piece.length === 0) throw changed();
      at += piece.length;
      if (at >= end) this.#checkVersion();
      else ahead = readPiece(this.#fd, at, Math.min(CHUNK_BYTES, end - at));
      try {
        await this.#exchange.write(piece);
      } catch (error) {
        // The descriptor must not be closed under a read.
        await ahead.catch(() => undefined);
        throw error;
      }
    }
    res.end();
  }

  /**
   * Who names a version gets bytes of that version or a broken connection, never a mix with a later one. Who names none gets what
   * is there: a log that grows all the time could not be fetched at all otherwise.
   */
  #checkVersion(): void {
    const { req } = this.#exchange;
    const { 'if-match': ifMatch, 'if-range': ifRange } = req.headers;
    if (ifMatch === undefined && ifRange === undefined && req.headers['if'] === undefined) return;
    if (etagOf(fs.fstatSync(this.#fd, { bigint: true })) !== etagOf(this.#stat)) throw changed();
  }
}

/** Before the head of the response it is an answer like others, after it the connection breaks off. */
function changed(): ShareError {
  return new ShareError(412, 'the file changed while it was read');
}

function readFully(fd: number, buffer: Buffer, start: number): number {
  let filled = 0;
  while (filled < buffer.length) {
    const count = fs.readSync(fd, buffer, filled, buffer.length - filled, start + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** Up to `length` bytes, in a buffer of its own: who sends it may keep it until it has left. */
function readPiece(fd: number, start: number, length: number): Promise<Buffer> {
  const { promise, resolve, reject } = withResolvers<Buffer>();
  fs.read(fd, Buffer.allocUnsafeSlow(length), 0, length, start, (error, count, buffer) => {
    if (error) reject(error);
    else resolve(buffer.subarray(0, count));
  });
  // Awaited one turn of the loop later; a failure in between is not an unhandled one.
  promise.catch(() => undefined);
  return promise;
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
