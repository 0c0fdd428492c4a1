import type { Dispatcher } from 'undici';
import { giveBack } from '../receive-memory.js';
import { BodyFeed, toSendable } from './body.js';
import type { Compression } from './compression.js';
import { Decoder, isCoded } from './decoder.js';
import { toHttpError } from './errors.js';
import type { LinkSpeed } from './link-speed.js';
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
  readonly asksForCoding: boolean;
  readonly #request: HttpRequest;
  readonly #compression: Compression;
  readonly #outcome: ExchangeOutcome;
  #controller: Dispatcher.DispatchController | undefined;
  #head: HttpHead | undefined;
  #toSink = false;
  #decoder: Decoder | undefined;
  #speed: LinkSpeed | undefined;
  #chunks: Buffer[] = [];
  #collectedBytes = 0;
  #settled = false;
  /** What we ended the attempt with ourselves; undici's own error is then only an echo. */
  #ownError: { readonly reason: unknown } | undefined;

  constructor(
    request: HttpRequest,
    priority: 'metadata' | 'bulk',
    compression: Compression,
    outcome: ExchangeOutcome,
  ) {
    this.#request = request;
    this.priority = priority;
    this.#compression = compression;
    this.asksForCoding = compression.wants(request);
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
    if (this.asksForCoding || this.#request.compressible !== true) return;
    this.#speed = this.#compression.speedOf(this.#request);
    this.#speed?.ask();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Headers,
  ): void {
    this.bytesIn += 1;
    if (status < 200 || this.#settled) return;
    this.#head = { status, headers: joinFields(headers) };
    if (!this.#beginBody(controller, this.#head)) return;
    const sink = this.#request.sink;
    if (sink === undefined || status >= 300) return;
    this.#toSink = true;
    this.delivered = true;
    this.#guard(controller, () => sink.onHeaders?.(this.#head!));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytesIn += chunk.length;
    if (this.#settled) return;
    this.#speed?.arrived(chunk.length);
    if (this.#decoder) this.#decoder.write(chunk);
    else this.#deliver(controller, chunk);
  }

  onResponseEnd(): void {
    if (this.#decoder) this.#decoder.end();
    else this.#finish();
  }

  #finish(): void {
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

  /** False: the body is of no use. */
  #beginBody(controller: Dispatcher.DispatchController, head: HttpHead): boolean {
    const { compressible } = this.#request;
    try {
      if (compressible === true && isCoded(head.headers['content-encoding'])) {
        this.#decoder = this.#newDecoder(controller);
      }
    } catch (error) {
      this.#refuseCoding(controller, error as HttpError);
      return false;
    }
    if (compressible === true) return true;
    this.#speed = this.#compression.speedOf(this.#request);
    this.#speed?.begin();
    return true;
  }

  #newDecoder(controller: Dispatcher.DispatchController): Decoder {
    return new Decoder({
      onData: (chunk) => this.#deliver(controller, chunk),
      onEnd: () => this.#finish(),
      onError: (error) => this.#refuseCoding(controller, error),
    });
  }

  #refuseCoding(controller: Dispatcher.DispatchController, error: HttpError): void {
    this.#compression.giveUp(this.#request, error);
    this.#refuse(controller, error);
  }

  #deliver(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#toSink) this.#guard(controller, () => this.#request.sink!.onData(chunk));
    else this.#collect(controller, chunk);
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
    this.#speed?.end();
    this.#decoder?.destroy();
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
