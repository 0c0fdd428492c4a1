import { HttpError, type BodySink, type HttpHead } from '../../http/types.js';
import { send, type DavContext } from '../context.js';
import { sameVersion } from '../etag.js';
import { requireStatus } from '../status.js';
import { DavError, type CallOptions, type GetOptions, type GetResult } from '../types.js';

/** GET of a file or of a range of it: exactly the bytes asked for, of the version asked for, or an error. */
export async function get(
  context: DavContext,
  path: string,
  sink: BodySink,
  options: CallOptions & GetOptions = {},
): Promise<GetResult> {
  if (isEmptyRange(options)) return emptyResult(options);
  const checked = new CheckedSink(path, sink, options);
  try {
    const response = await send(context, {
      method: 'GET',
      path,
      headers: { 'accept-encoding': 'identity', ...rangeField(options) },
      sink: checked,
      call: options,
    });
    requireStatus('GET', path, response, [200, 206]);
  } catch (error) {
    if (error !== ENOUGH) throw error;
  }
  return checked.end();
}

/** Ends a response whose rest nobody asked for. */
const ENOUGH = new Error('all that was asked for has arrived');

function isEmptyRange({ start, end }: GetOptions): boolean {
  return end !== undefined && end <= (start ?? 0);
}

/** HTTP has no way to ask for nothing. */
function emptyResult(options: GetOptions): GetResult {
  const start = options.start ?? 0;
  const result = { status: 206 as const, etag: options.etag, totalSize: start, start };
  options.onHead?.(result);
  return result;
}

function rangeField({ start, end }: GetOptions): Record<string, string> | undefined {
  if (start === undefined && end === undefined) return undefined;
  return { range: `bytes=${start ?? 0}-${end === undefined ? '' : end - 1}` };
}

/** Stands before the caller's sink and lets through what was asked for. */
class CheckedSink implements BodySink {
  readonly #path: string;
  readonly #sink: BodySink;
  readonly #options: GetOptions;
  readonly onRestart?: () => void;
  #result: GetResult | undefined;
  /** Bytes of the body before the first one asked for: the server ignored the range. */
  #toSkip = 0;
  #expected = 0;
  #received = 0;

  constructor(path: string, sink: BodySink, options: GetOptions) {
    this.#path = path;
    this.#sink = sink;
    this.#options = options;
    if (sink.onRestart !== undefined) {
      this.onRestart = () => {
        this.#received = 0;
        sink.onRestart!();
      };
    }
  }

  onHeaders(head: HttpHead): void {
    this.#result = this.#readHead(head);
    this.#options.onHead?.(this.#result);
    this.#sink.onHeaders?.(head);
  }

  onData(chunk: Buffer): void {
    let data = chunk;
    if (this.#toSkip > 0) {
      const skipped = Math.min(this.#toSkip, data.length);
      this.#toSkip -= skipped;
      data = data.subarray(skipped);
    }
    const excess = this.#received + data.length - this.#expected;
    if (excess > 0) {
      if (this.#result?.status !== 200) throw this.#wrong('more bytes than it announced');
      // A server that ignores the range sends the rest of the file, too.
      data = data.subarray(0, data.length - excess);
    }
    if (data.length > 0) {
      this.#received += data.length;
      this.#sink.onData(data);
    }
    if (excess > 0) throw ENOUGH;
  }

  end(): GetResult {
    if (this.#result === undefined || this.#received !== this.#expected) {
      throw this.#wrong(`${this.#received} bytes instead of ${this.#expected}`);
    }
    return this.#result;
  }

  #readHead(head: HttpHead): GetResult {
    const etag = head.headers.etag;
    this.#checkVersion(etag);
    const contentLength = toLength(head.headers['content-length']);
    const encoding = head.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') throw this.#wrong(`content encoded with ${encoding}`);
    if (head.status === 206) return this.#readPartialHead(head, etag, contentLength);
    if (contentLength === undefined) throw this.#wrong('no Content-Length');
    const start = Math.min(this.#options.start ?? 0, contentLength);
    const end = Math.min(this.#options.end ?? contentLength, contentLength);
    this.#requireEnd(end);
    this.#toSkip = start;
    this.#expected = end - start;
    return { status: 200, etag, totalSize: contentLength, start };
  }

  #readPartialHead(
    head: HttpHead,
    etag: string | undefined,
    contentLength: number | undefined,
  ): GetResult {
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(head.headers['content-range'] ?? '');
    if (range === null) throw this.#wrong('a range without its place');
    const [first, last, totalSize] = range.slice(1).map(Number) as [number, number, number];
    const start = this.#options.start ?? 0;
    this.#requireEnd(last + 1);
    if (first !== start || last + 1 > (this.#options.end ?? Infinity) || last >= totalSize) {
      throw this.#wrong('another range than was asked for');
    }
    this.#toSkip = 0;
    this.#expected = last + 1 - first;
    // phodav announces a range that goes beyond the file and then sends nothing.
    if (contentLength !== undefined && contentLength !== this.#expected) {
      throw this.#wrong(`${contentLength} bytes for a range of ${this.#expected}`);
    }
    return { status: 206, etag, totalSize, start };
  }

  /** The caller knows the size of the version it asks for: less is another version or a lie. */
  #requireEnd(end: number): void {
    if (this.#options.end !== undefined && end < this.#options.end) {
      throw this.#wrong(`${end} as the end of the range instead of ${this.#options.end}`);
    }
  }

  #checkVersion(etag: string | undefined): void {
    const wanted = this.#options.etag;
    if (wanted === undefined || etag === undefined || sameVersion(wanted, etag)) return;
    const message = `GET ${this.#path}: the file has changed (STALE)`;
    throw new DavError('GET', this.#path, 412, { message, condition: 'STALE' });
  }

  #wrong(what: string): HttpError {
    return new HttpError('HTTP_PROTOCOL', `GET ${this.#path} was answered with ${what}`);
  }
}

function toLength(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const length = Number(text);
  return Number.isSafeInteger(length) ? length : undefined;
}
