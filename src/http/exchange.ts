import type { Dispatcher } from 'undici';
import { BodyFeed, toSendable } from './body.js';
import { giveBack } from '../receive-memory.js';
import { toHttpError } from './errors.js';
import { HttpError, type HttpHead, type HttpRequest, type HttpResponse } from './types.js';

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;
const NO_BODY = Buffer.alloc(0);

type Headers = Record<string, string | string[] | undefined>;

export interface ExchangeOutcome {
  resolve(response: HttpResponse): void;
  reject(error: unknown): void;
}

/**
 * One attempt at one request: the receiver of undici's `dispatch`. Passes body chunks on to the sink as they arrive.
 *
 * INVARIANT: exactly one of `resolve` and `reject` is called, once.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly body: Buffer | BodyFeed | undefined;
  readonly priority: 'metadata' | 'bulk';
  /** Set by the transport: bytes handed to the peer for this attempt, where that is known. */
  bytesSent: () => number | undefined = () => undefined;
  /** Set by the transport: the attempt is over; `clean`: by a complete response. */
  onSettled: (clean: boolean) => void = () => undefined;
  /** The request was written, in part at least. */
  started = false;
  /** The sink was told of a response: the request can't be sent again behind its back. */
  delivered = false;
  bytesIn = 0;
  readonly #request: HttpRequest;
  readonly #outcome: ExchangeOutcome;
  #controller: Dispatcher.DispatchController | undefined;
  #head: HttpHead | undefined;
  #toSink = false;
  #chunks: Buffer[] = [];
  #collectedBytes = 0;
  #settled = false;
  /** What we ended the attempt with ourselves; undici's own error is then only an echo. */
  #ownError: { readonly reason: unknown } | undefined;

  constructor(request: HttpRequest, priority: 'metadata' | 'bulk', outcome: ExchangeOutcome) {
    this.#request = request;
    this.priority = priority;
    this.#outcome = outcome;
    this.body = toSendable(request.body);
  }

  /** Pieces of the body that went out, and bytes that came in: any change is progress. */
  get progress(): number {
    return this.bytesIn + (this.body instanceof BodyFeed ? this.body.taken : 0);
  }

  get waitingForSource(): boolean {
    return this.body instanceof BodyFeed && this.body.waitingForSource;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Ends the attempt with `reason`; its connection is destroyed. */
  abort(reason: unknown): void {
    if (this.#settled) return;
    this.#ownError = { reason };
    this.#reject(reason);
    this.#controller?.abort(asError(reason));
  }

  /** The attempt came to nothing before undici had it. */
  fail(error: unknown): void {
    this.#reject(toHttpError(error, { started: this.started, headReceived: false }));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) {
      controller.abort(asError(this.#ownError?.reason));
      return;
    }
    this.started = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Headers,
  ): void {
    this.bytesIn += 1;
    if (status < 200 || this.#settled) return;
    this.#head = { status, headers: joinFields(headers) };
    const sink = this.#request.sink;
    if (sink === undefined || status >= 300) return;
    this.#toSink = true;
    this.delivered = true;
    this.#guard(controller, () => sink.onHeaders?.(this.#head!));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytesIn += chunk.length;
    if (this.#settled) return;
    if (this.#toSink) this.#guard(controller, () => this.#request.sink!.onData(chunk));
    else this.#collect(controller, chunk);
  }

  onResponseEnd(): void {
    const head = this.#head;
    if (head === undefined || this.#settled) return;
    const body = this.#chunks.length === 0 ? NO_BODY : Buffer.concat(this.#chunks);
    for (const chunk of this.#chunks) giveBack(chunk.buffer, chunk.length);
    this.#close(true);
    this.#outcome.resolve({ status: head.status, headers: head.headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const sourceError = this.body instanceof BodyFeed ? this.body.sourceError : undefined;
    const trace = { started: this.started, headReceived: this.#head !== undefined };
    this.#reject(this.#ownError?.reason ?? sourceError ?? toHttpError(error, trace));
  }

  #collect(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#collectedBytes += chunk.length;
    const limit = this.#request.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
    if (this.#collectedBytes > limit) {
      const message = `the response body is larger than ${limit} bytes`;
      this.#refuse(controller, new HttpError('HTTP_BODY_TOO_LARGE', message));
      return;
    }
    this.#chunks.push(chunk);
  }

  #guard(controller: Dispatcher.DispatchController, deliver: () => void): void {
    try {
      deliver();
    } catch (error) {
      this.#refuse(controller, error);
    }
  }

  #refuse(controller: Dispatcher.DispatchController, error: unknown): void {
    this.#ownError = { reason: error };
    this.#reject(error);
    controller.abort(asError(error));
  }

  #reject(error: unknown): void {
    if (this.#settled) return;
    this.#close(false);
    this.#outcome.reject(error);
  }

  #close(clean: boolean): void {
    this.#settled = true;
    this.#chunks = [];
    if (this.body instanceof BodyFeed) this.body.stop();
    this.onSettled(clean);
  }
}

/** undici destroys the connection with it; anything else than an Error would upset the stream. */
function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('the request was given up');
}

function joinFields(headers: Headers): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value !== undefined) joined[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return joined;
}
