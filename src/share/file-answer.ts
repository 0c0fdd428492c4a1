/** The answer to a GET or HEAD of one open file: conditions, ranges, coding, digest, and bytes of one version. */
import fs from 'node:fs';
import { evaluateConditions, ifRangeHolds, preconditionFailed, requireIf } from './conditional.js';
import { MIN_CODED_BYTES, type Coding } from './content-coding.js';
import type { Reading } from './content-locks.js';
import { contentTypeOf, isCompressible } from './content-type.js';
import { ClientGoneError, ShareError } from './errors.js';
import { etagOf } from './etag.js';
import type { Exchange } from './exchange.js';
import type { Headers } from './response-head.js';
import { fileHeaders } from './file-headers.js';
import { readNow, readPieces } from './file-pieces.js';
import { lengthOf, multipart, type Segment } from './multipart.js';
import { parseRanges } from './range.js';
import { digestOfFile, wantedAlgorithm } from './repr-digest.js';
import { canReuse, ThroughWriter } from './reused-memory.js';
import { resourceStates } from './resource-states.js';
import { codingFor, codingHeaders, ResponseBody } from './response-body.js';
import { SMALL_BYTES } from './small-file.js';
import type { FileState } from './file-state.js';

/** To code a longer one takes a thread for seconds. */
const MAX_CODED_BYTES = 16 * 1024 * 1024;

export class FileAnswer {
  readonly #exchange: Exchange;
  readonly #type: string;
  readonly #fd: number;
  #stat: FileState;
  #size: number;
  /** The bytes must be of one version. */
  #versioned: boolean;
  #reading: Reading | undefined;

  /** REQUIRES: nobody changes the file in place in this turn of the loop. */
  constructor(exchange: Exchange, name: string, fd: number, stat: FileState) {
    this.#exchange = exchange;
    this.#type = contentTypeOf(name);
    this.#fd = fd;
    this.#stat = stat;
    this.#size = Number(stat.size);
    const { headers } = exchange.req;
    // Who names none gets what is there: a log that grows all the time could not be fetched at all otherwise.
    this.#versioned =
      headers['if-match'] !== undefined ||
      headers['if-range'] !== undefined ||
      headers['if'] !== undefined;
  }

  /** A promise only when it doesn't fit in one piece. */
  send(): Promise<void> | undefined {
    const { method, req } = this.#exchange;
    const verdict = evaluateConditions(method, req.headers, this.#stat);
    if (verdict === 'failed') throw preconditionFailed();
    requireIf(req.headers, this.#stat, resourceStates(this.#exchange));
    const algorithm = wantedAlgorithm(this.#exchange.header('want-repr-digest'));
    // The digest is that of the bytes as they are stored.
    const coding = algorithm === undefined ? this.#coding() : undefined;
    const headers = this.#headers(coding);
    if (verdict === 'not modified') {
      this.#exchange.respond(304, headers);
      return undefined;
    }
    if (algorithm !== undefined) return this.#withDigest(headers, algorithm);
    return coding ? this.#coded(headers, coding) : this.#plain(headers);
  }

  close(): void {
    this.#reading?.close();
    fs.closeSync(this.#fd);
  }

  /** Never with a range, whose bytes are those of the file as it is; nor of what is small, or coded already. */
  #coding(): Coding | undefined {
    const fits = this.#size >= MIN_CODED_BYTES && this.#size <= MAX_CODED_BYTES;
    if (!fits || !isCompressible(this.#type)) return undefined;
    return this.#exchange.req.headers.range === undefined ? codingFor(this.#exchange) : undefined;
  }

  #headers(coding: Coding | undefined): Headers {
    return fileHeaders(this.#type, this.#stat, coding);
  }

  async #withDigest(headers: Headers, algorithm: string): Promise<void> {
    this.#watch();
    const digest = await digestOfFile(this.#fd, this.#size, algorithm, () => {
      if (this.#exchange.res.destroyed) throw new ClientGoneError('gone while the file was read');
      this.#exchange.context.closing.throwIfAborted();
    });
    const unchanged = this.#isUnchanged();
    if (!unchanged && this.#versioned) throw changed();
    if (unchanged) {
      this.#versioned = true;
      await this.#plain({ ...headers, 'Repr-Digest': digest });
      return;
    }
    // It was only a wish; of a file that changes all the time there is no digest.
    await this.#beginAnew();
    await this.#plain(this.#headers(undefined));
  }

  async #beginAnew(): Promise<void> {
    const { contentLocks } = this.#exchange.context;
    let changing = contentLocks.beingChanged(this.#stat);
    for (; changing; changing = contentLocks.beingChanged(this.#stat)) await changing;
    this.#reading?.close();
    this.#reading = undefined;
    this.#stat = fs.fstatSync(this.#fd, { bigint: true });
    this.#size = Number(this.#stat.size);
  }

  #plain(headers: Headers): Promise<void> | undefined {
    const { method, req } = this.#exchange;
    const size = this.#size;
    // Range is defined for GET alone (RFC 9110 section 14.2).
    const wanted = method === 'GET' && ifRangeHolds(this.#exchange.header('if-range'), this.#stat);
    const ranges = parseRanges(wanted ? req.headers.range : undefined, size);
    if (ranges === 'unsatisfiable') {
      throw new ShareError(416, 'the range is not in the file', {
        headers: { 'Content-Range': `bytes */${size}` },
      });
    }
    if (ranges === 'whole') return this.#segments(200, headers, [{ start: 0, end: size }]);
    const [only, ...others] = ranges;
    if (only && others.length === 0) {
      const contentRange = `bytes ${only.start}-${only.end - 1}/${size}`;
      return this.#segments(206, { ...headers, 'Content-Range': contentRange }, ranges);
    }
    const { type, segments } = multipart(this.#type, size, ranges);
    return this.#segments(206, { ...headers, 'Content-Type': type }, segments);
  }

  #segments(
    status: number,
    headers: Headers,
    segments: readonly Segment[],
  ): Promise<void> | undefined {
    const { method, res } = this.#exchange;
    const length = segments.reduce((sum, segment) => sum + lengthOf(segment), 0);
    if (method !== 'HEAD' && length <= SMALL_BYTES) {
      const body = this.#readNow(segments, length);
      this.#checkVersion();
      this.#exchange.respond(status, headers, body);
      return undefined;
    }
    this.#exchange.writeHead(status, headers, length);
    if (method === 'HEAD') {
      res.end();
      return undefined;
    }
    return this.#stream(segments);
  }

  #readNow(segments: readonly Segment[], length: number): Buffer {
    const body = Buffer.allocUnsafe(length);
    let at = 0;
    for (const segment of segments) {
      const room = body.subarray(at, (at += lengthOf(segment)));
      if (Buffer.isBuffer(segment)) segment.copy(room);
      else if (readNow(this.#fd, room, segment.start) < room.length) throw changed();
    }
    return body;
  }

  async #stream(segments: readonly Segment[]): Promise<void> {
    this.#watch();
    const exchange = this.#exchange;
    const calls = exchange.context.options.attributes;
    const reuse = canReuse(exchange);
    const writer = reuse ? new ThroughWriter(exchange) : exchange;
    const final = segments.findLast((segment) => !Buffer.isBuffer(segment));
    for (const segment of segments) {
      if (Buffer.isBuffer(segment)) {
        await exchange.write(segment);
      } else {
        const take = (piece: Buffer, last: boolean): Promise<void> => {
          this.#checkPiece(piece, last && segment === final);
          return writer.write(piece);
        };
        await readPieces(this.#fd, segment, take, { calls, reuse });
      }
    }
    exchange.res.end();
  }

  async #coded(headers: Headers, coding: Coding): Promise<void> {
    const { method, res } = this.#exchange;
    if (method === 'HEAD') {
      // Nobody knows the length before the work is done.
      this.#exchange.writeHead(200, { ...headers, ...codingHeaders(coding) });
      res.end();
      return;
    }
    this.#watch();
    const body = new ResponseBody(this.#exchange, 200, headers, coding);
    await readPieces(this.#fd, { start: 0, end: this.#size }, (piece, last) => {
      this.#checkPiece(piece, last);
      return body.write(piece);
    });
    await body.end();
  }

  #checkPiece(piece: Buffer, last: boolean): void {
    // The file shrank: the connection breaks off, for the length was promised.
    if (piece.length === 0) throw changed();
    if (last) this.#checkVersion();
  }

  /**
   * Who names a version gets bytes of that version or a broken connection, never a mix with a later one. Nor does anybody get a mix
   * that a request has made; only to what local programs write, and to a longer file, who names none is open.
   */
  #checkVersion(): void {
    const overwritten = (this.#reading?.changedFrom ?? Infinity) < this.#size;
    if (overwritten || (this.#versioned && !this.#isUnchanged())) throw changed();
  }

  #isUnchanged(): boolean {
    if (this.#reading && this.#reading.changedFrom < Infinity) return false;
    return etagOf(fs.fstatSync(this.#fd, { bigint: true })) === etagOf(this.#stat);
  }

  /** REQUIRES: still in the turn of the loop in which it began. */
  #watch(): void {
    this.#reading ??= this.#exchange.context.contentLocks.read(this.#stat);
  }
}

/** Before the head of the response it is an answer like others, after it the connection breaks off. */
function changed(): ShareError {
  return new ShareError(412, 'the file changed while it was read');
}
