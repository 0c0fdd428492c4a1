/** The sharing end: one folder as a WebDAV server, on whatever carries a connection. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ChangeFeeds } from './change-feed/change-feeds.js';
import { Connections } from './connections.js';
import { ContentLocks } from './content-locks.js';
import type { Context } from './context.js';
import { DeadProperties } from './dead-properties.js';
import { dispatch } from './dispatcher.js';
import { VersionKeeper } from './etag.js';
import { KeptStreams } from './kept-streams.js';
import { Lingering } from './lingering.js';
import { LockTable } from './locks/lock-table.js';
import { NameLocks } from './name-locks.js';
import { resolveOptions, type Share, type ShareOptions, type ShareStats } from './options.js';
import { Root } from './root.js';
import { statusLine } from './status-line.js';
import { sweep } from './sweep.js';
import { TempNames } from './temp-names.js';

export type { SystemCalls, RequestRecord, Share, ShareOptions, ShareStats } from './options.js';
export type { SymlinkPolicy } from './root.js';
export { listenHttp, type HttpListener } from './listen-http.js';

/** Request line and fields. Paths are up to 4 KiB, three bytes for one when encoded, twice in a MOVE; ours. */
const MAX_HEADER_BYTES = 32 * 1024;

/** Rejects with the error of the file system when the folder can't be opened. */
export function createShare(options: ShareOptions): Promise<Share> {
  return new Promise((resolve) => {
    resolve(new FolderShare(options));
  });
}

class FolderShare implements Share {
  readonly swept: Promise<number>;
  readonly #context: Context;
  readonly #http: Server;
  readonly #kept: KeptStreams;
  readonly #lingering = new Lingering();
  readonly #closing = new AbortController();
  /** Requests being answered. */
  #active = 0;
  /** Called when there are none. */
  #idle: (() => void) | undefined;
  readonly #counts = { requests: 0, bytesIn: 0, bytesOut: 0, failures: 0 };
  #closed: Promise<void> | undefined;

  constructor(given: ShareOptions) {
    const startedAt = Date.now();
    const options = resolveOptions(given);
    const root = new Root(options.root, options.symlinks, options.attributes);
    this.#context = {
      options,
      root,
      connections: new Connections(options),
      versions: new VersionKeeper(),
      contentLocks: new ContentLocks(),
      tempNames: new TempNames(),
      changeFeeds: new ChangeFeeds(options.watches, root),
      nameLocks: new NameLocks(),
      locks: new LockTable(options),
      deadProperties: new DeadProperties(options.attributes),
      closing: this.#closing.signal,
    };
    this.#kept = new KeptStreams(this.#context.connections, this.#closing.signal);
    this.#http = this.#createHttp();
    this.swept = options.readOnly ? Promise.resolve(0) : this.#sweep(startedAt);
  }

  get root(): string {
    return this.#context.root.path;
  }

  get stats(): ShareStats {
    const connections = this.#context.connections.size;
    return { ...this.#counts, active: this.#active, connections };
  }

  readonly handler = (req: IncomingMessage, res: ServerResponse): void => {
    void this.#handle(req, res);
  };

  attach(stream: Duplex): void {
    if (this.#closed) {
      stream.destroy();
      return;
    }
    // Before node:http adds its own listener: a stream that fails at once must not end the process.
    stream.on('error', () => undefined);
    if (!this.#context.connections.add(stream)) {
      this.#refuse(stream, 503);
      return;
    }
    this.#kept.add(stream);
    this.#http.emit('connection', stream);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #createHttp(): Server {
    // The time limits of node:http hold for sockets only; `Connections` has them for all streams.
    const http = createServer(
      { maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 0, requestTimeout: 0 },
      this.handler,
    );
    // Fields beyond a number would be dropped in silence, a precondition among them; the size is bounded.
    http.maxHeadersCount = 0;
    http.on('checkContinue', this.handler);
    http.on('checkExpectation', this.handler);
    http.on('connect', (_req, stream: Duplex) => this.#refuse(stream, 400));
    http.on('clientError', (error, stream) => void this.#onClientError(error, stream));
    return http;
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.#active++;
    try {
      await this.#answer(req, res);
    } finally {
      if (--this.#active === 0) this.#idle?.();
    }
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { connections } = this.#context;
    const turn = connections.begin(req.socket, { req, res });
    if (turn) {
      await turn;
      if (req.socket.destroyed) return;
    }
    const began = performance.now();
    const { bytesIn, bytesOut } = await dispatch(req, res, this.#context);
    connections.end(req.socket);
    this.#kept.answered(req, res);
    this.#counts.requests++;
    this.#counts.bytesIn += bytesIn;
    this.#counts.bytesOut += bytesOut;
    const status = res.headersSent ? res.statusCode : 0;
    if (status >= 500) this.#counts.failures++;
    this.#record(req, status, bytesIn, bytesOut, performance.now() - began);
  }

  #record(
    req: IncomingMessage,
    status: number,
    bytesIn: number,
    bytesOut: number,
    durationMs: number,
  ): void {
    const { onRequest, log } = this.#context.options;
    if (!onRequest && !log.enabled('info')) return;
    const method = req.method ?? '';
    const target = req.url ?? '';
    const { 'user-agent': userAgent = '', referer = '' } = req.headers;
    onRequest?.({
      method,
      target,
      status,
      bytesIn,
      bytesOut,
      durationMs,
      userAgent,
      referer,
      httpVersion: req.httpVersion,
      client: addressOf(req.socket),
    });
    log.info(`${method} ${target}`, {
      status,
      in: bytesIn,
      out: bytesOut,
      ms: Math.round(durationMs),
    });
  }

  async #onClientError(error: ParserError, stream: Duplex): Promise<void> {
    const { connections } = this.#context;
    const current = connections.current(stream);
    const inBody = current?.req.complete === false;
    // A body that broke off is that request's to tell.
    const broken = inBody && (current.res.headersSent || error.code === 'HPE_INVALID_EOF_STATE');
    if (error.code?.startsWith('HPE_') !== true || broken) {
      stream.destroy();
      return;
    }
    // Not into the middle of the answer to the request before.
    if (current?.req.complete) await connections.begin(stream, undefined);
    this.#refuse(stream, statusOfParserError(error));
  }

  /** What is no HTTP, or one too many, gets an answer where one can still be sent. */
  #refuse(stream: Duplex, status: number): void {
    this.#context.options.onRequest?.({
      method: '',
      target: '',
      status,
      bytesIn: 0,
      bytesOut: 0,
      durationMs: 0,
      userAgent: '',
      referer: '',
      httpVersion: '',
      client: addressOf(stream),
    });
    const answer = `${statusLine(status)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    this.#lingering.end(stream, answer);
  }

  async #sweep(startedAt: number): Promise<number> {
    try {
      return await sweep(this.#context, startedAt);
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        this.#context.options.log.warn('could not look for leftovers', { error: String(error) });
      }
      return 0;
    }
  }

  async #close(): Promise<void> {
    this.#closing.abort(new Error('the share is being closed'));
    this.#context.connections.destroyAll();
    this.#lingering.destroyAll();
    this.#http.close();
    if (this.#active > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.swept;
    this.#context.root.close();
  }
}

type ParserError = NodeJS.ErrnoException & {
  readonly rawPacket?: Buffer;
  /** Up to where it was understood. */
  readonly bytesParsed?: number;
};

const UNKNOWN_METHOD = /^[!#$%&'*+.^_`|~\w-]+ \S+ HTTP\/1\.[01]\r?\n/;

function statusOfParserError({ code, rawPacket, bytesParsed = 0 }: ParserError): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  // Node knows the methods that there are, and refuses others before anybody is asked (RFC 9110 section 9.1).
  if (code !== 'HPE_INVALID_METHOD' || !rawPacket) return 400;
  // Good requests may stand before it.
  const start = rawPacket.subarray(0, bytesParsed).lastIndexOf('\n') + 1;
  return UNKNOWN_METHOD.test(rawPacket.toString('latin1', start)) ? 501 : 400;
}

/** Empty for what is no TCP connection. */
function addressOf(stream: Duplex): string {
  return 'remoteAddress' in stream && typeof stream.remoteAddress === 'string'
    ? stream.remoteAddress
    : '';
}
