import { DavportError } from '../errors.js';

/** A body to send: bytes at hand, or a source that can be opened again for a retry. */
export type HttpBody = Uint8Array | HttpBodySource;
export interface HttpBodySource {
  /** Undefined: it goes on as long as the request does. */
  readonly size: number | undefined;
  open(): AsyncIterable<Uint8Array>;
}

/** Receives a response body while it arrives. A throw ends the request (the client_id is closed) and rejects with that error. */
export interface BodySink {
  /** Called once, before any `onData`, for a 2xx status. */
  onHeaders?(response: HttpHead): void;
  /** `chunk` is the sink's own from now on. */
  onData(chunk: Buffer): void;
  /**
   * The response broke off and the request is about to be sent again: forget what was delivered; `onHeaders` follows anew.
   * Without it a request is not sent again once a response was delivered in part.
   */
  onRestart?(): void;
}

export interface HttpHead {
  readonly status: number;
  /** Lower-case names; repeated fields joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpResponse extends HttpHead {
  /** The collected body; empty where a sink took it. */
  readonly body: Buffer;
}

export interface HttpRequest {
  readonly method: string;
  /** Origin form, encoded, begins with "/", never "//". */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  /** Aborting closes the client_id at once; the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /** Takes 2xx bodies; all other bodies are collected. */
  readonly sink?: BodySink;
  /** Limit of a collected body. Default 1 MiB; over it the request fails with HTTP_BODY_TOO_LARGE. */
  readonly maxBodyBytes?: number;
  /**
   * May be sent again on a new client_id after a lost session, a reset or silence (default: GET, HEAD, OPTIONS, PROPFIND).
   * A request none of whose bytes were written may always be sent again.
   */
  readonly retriable?: boolean;
  /** The answer is text of any length, which may come compressed where that pays. Never for content: its ranges are of other bytes. */
  readonly compressible?: boolean;
  /** Metadata goes before bulk data when requests queue for a slot. Default 'metadata'; GET and PUT bodies are 'bulk'. */
  readonly priority?: 'metadata' | 'bulk';
  /**
   * Lasts as long as the peer has something to tell: takes no slot, is sent once, and neither its bytes nor its silence say how
   * others are doing. Silence for `timeoutMs` ends it alone.
   */
  readonly standing?: boolean;
}

/**
 * Sends requests; each on a connection of its own over a mux, pooled connections over TCP. Requests in flight are limited, the
 * rest queue. A request that makes no progress (no byte either way, waiting for the peer included) for `timeoutMs` rejects with
 * HTTP_TIMEOUT. Every promise settles.
 */
export interface HttpClient {
  /** Path prefix of the base URL, encoded, without trailing slash ("" over a channel). */
  readonly basePath: string;
  /** Absolute form of a target, for Destination headers. */
  absoluteUrl(target: string): string;
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Counts since the start, by method: what benchmarks and the request budget read. */
  readonly counters: ReadonlyMap<string, number>;
  /** Is the peer there now? Over TCP always true. */
  readonly connected: boolean;
  /** Called when the peer appears (again) or goes. Returns the unsubscriber. */
  onConnectedChange(listener: (connected: boolean) => void): () => void;
  close(): Promise<void>;
}

export type HttpErrorCode =
  /** No progress for timeoutMs. → ETIMEDOUT */
  | 'HTTP_TIMEOUT'
  /** The session, stream or TCP connection ended; not retried or retried in vain. → EIO */
  | 'HTTP_LOST'
  /** TCP: connection refused, host unreachable, name not found, TLS failure. → EIO */
  | 'HTTP_UNREACHABLE'
  /** The peer sent what is no HTTP, or broke it off before the end of the body. → EIO */
  | 'HTTP_PROTOCOL'
  | 'HTTP_BODY_TOO_LARGE'
  /** The client was closed. → EIO */
  | 'HTTP_CLOSED';

export class HttpError extends DavportError {
  declare readonly code: HttpErrorCode;
  /** True when not a byte of the request was handed to the peer: sending it again changes nothing there twice. */
  readonly unsent: boolean;

  constructor(code: HttpErrorCode, message: string, options?: ErrorOptions & { unsent?: boolean }) {
    super(code, message, options);
    this.unsent = options?.unsent ?? false;
  }
}
