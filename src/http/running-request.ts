import { isCutOff } from './errors.js';
import { Exchange } from './exchange.js';
import { InterruptibleWait } from './interruptible-wait.js';
import type { Requester } from './requester.js';
import type { SlotKind } from './slots.js';
import { HttpError, type HttpRequest, type HttpResponse } from './types.js';
import type { Watched } from './watchdog.js';

const RETRIABLE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'PROPFIND']);
const BULK_METHODS = new Set(['GET', 'PUT']);
const FIRST_BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 1000;
/** A peer that takes requests and breaks each one is not worth more tries, however much time is left. */
const MAX_ATTEMPTS = 12;

/** Why an attempt was ended that is to be made again. */
const RESEND = new HttpError('HTTP_LOST', 'no answer: sent again');

/** One request from the queue to its answer, over as many attempts as it takes. */
export class RunningRequest {
  readonly #requester: Requester;
  readonly #request: HttpRequest;
  readonly #kind: SlotKind;
  #exchange: Exchange | undefined;
  #formerBytesIn = 0;
  #formerProgress = 0;
  #attempts = 0;
  #queued = true;
  #resent = false;
  #unreachableSince: number | undefined;
  readonly #wait = new InterruptibleWait();
  #interrupted: { readonly reason: unknown } | undefined;

  constructor(requester: Requester, request: HttpRequest) {
    this.#requester = requester;
    this.#request = request;
    this.#kind = request.priority ?? (BULK_METHODS.has(request.method) ? 'bulk' : 'metadata');
  }

  get isStanding(): boolean {
    return this.#request.standing === true;
  }

  get bytesIn(): number {
    return this.#formerBytesIn + (this.#exchange?.bytesIn ?? 0);
  }

  /** Ends the request, whatever it is waiting for. The first reason counts. */
  interrupt(reason: unknown): void {
    if (this.#interrupted !== undefined) return;
    this.#interrupted = { reason };
    this.#wait.interrupt(reason);
    this.#exchange?.abort(reason);
  }

  async run(): Promise<HttpResponse> {
    const { slots, watchdog } = this.#requester;
    const unwatch = watchdog.watch(this.#watched());
    const signal = this.#request.signal;
    const onAbort = (): void => this.interrupt(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      if (this.isStanding) return await this.#attemptOnce();
      await this.#takeSlot();
      try {
        return await this.#attemptUntilAnswered();
      } finally {
        slots.release(this.#kind);
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      unwatch();
    }
  }

  async #attemptOnce(): Promise<HttpResponse> {
    this.#queued = false;
    await this.#untilConnected();
    this.#throwIfInterrupted();
    return this.#attempt();
  }

  async #attemptUntilAnswered(): Promise<HttpResponse> {
    for (;;) {
      await this.#untilConnected();
      this.#throwIfInterrupted();
      try {
        return await this.#attempt();
      } catch (error) {
        this.#throwIfInterrupted();
        if (!this.#mayRetry(error)) throw silenceBehind(error) ?? error;
        await this.#backOff();
      }
    }
  }

  #throwIfInterrupted(): void {
    if (this.#interrupted !== undefined) throw this.#interrupted.reason;
  }

  #attempt(): Promise<HttpResponse> {
    this.#attempts += 1;
    this.#requester.count(this.#request.method);
    return new Promise((resolve, reject) => {
      this.#retireExchange();
      const exchange = new Exchange(this.#request, this.#kind, this.#requester.compression, {
        resolve,
        reject,
      });
      this.#exchange = exchange;
      this.#requester.transport.send(this.#request, exchange);
    });
  }

  #retireExchange(): void {
    if (this.#exchange === undefined) return;
    this.#formerBytesIn += this.#exchange.bytesIn;
    this.#formerProgress += this.#progressOf(this.#exchange);
    this.#exchange = undefined;
  }

  #mayRetry(error: unknown): boolean {
    if (!(error instanceof HttpError) || this.#attempts >= MAX_ATTEMPTS) return false;
    if (error.code === 'HTTP_UNREACHABLE') return this.#mayRetryUnreachable();
    if (error.code !== 'HTTP_LOST' && !(error.code === 'HTTP_PROTOCOL' && isCutOff(error))) {
      return false;
    }
    if (!this.#wasUnsent(error) && !this.#isRetriable()) return false;
    return this.#exchange?.delivered !== true || this.#restartSink();
  }

  #restartSink(): boolean {
    const sink = this.#request.sink;
    if (sink?.onRestart === undefined) return false;
    sink.onRestart();
    return true;
  }

  #isRetriable(): boolean {
    return this.#request.retriable ?? RETRIABLE_METHODS.has(this.#request.method);
  }

  #wasUnsent(error: HttpError): boolean {
    return error.unsent || this.#exchange?.bytesSent() === 0;
  }

  #mayRetryUnreachable(): boolean {
    const { clock, transport } = this.#requester;
    this.#unreachableSince ??= clock.now();
    return clock.now() - this.#unreachableSince < transport.unreachableRetryMs;
  }

  #takeSlot(): Promise<void> | undefined {
    const { slots } = this.#requester;
    if (slots.tryTake(this.#kind)) {
      this.#queued = false;
      return undefined;
    }
    return this.#wait
      .start((done) => slots.wait(this.#kind, done))
      .then(() => {
        this.#queued = false;
      });
  }

  /** Waits for a session; the watchdog sets the bound. */
  #untilConnected(): Promise<void> | undefined {
    const { transport } = this.#requester;
    if (transport.connected) return undefined;
    if (transport.failure !== undefined) throw failedTransport(transport.failure);
    return this.#wait.start((done, fail) =>
      transport.onConnectedChange((connected) => {
        if (connected) done();
        else if (transport.failure !== undefined) fail(failedTransport(transport.failure));
      }),
    );
  }

  #backOff(): Promise<void> {
    const delayMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (this.#attempts - 1));
    return this.#wait.start((done) => this.#requester.clock.after(delayMs, done));
  }

  #watched(): Watched {
    return {
      progress: () =>
        this.#formerProgress + (this.#exchange ? this.#progressOf(this.#exchange) : 0),
      phase: () => this.#phase(),
      onHalfTime: () => this.#onHalfTime(),
      onExpire: (peerSilent: boolean) => this.#onExpire(peerSilent),
    };
  }

  /** Sending a request again is no progress, else a dead peer could be asked for ever. */
  #progressOf(exchange: Exchange): number {
    if (this.#isRetriable()) return exchange.progress;
    return exchange.progress + (exchange.bytesSent() ?? 0);
  }

  #phase(): 'queued' | 'waiting' | 'sent' | 'source' {
    if (this.#queued) return 'queued';
    if (this.#wait.on || this.#exchange === undefined) return 'waiting';
    // A standing request has something to say now and then: the peer is to give signs of life all the same.
    return this.#exchange.waitingForSource && !this.isStanding ? 'source' : 'sent';
  }

  #onHalfTime(): void {
    const exchange = this.#exchange;
    if (!this.#requester.transport.resendOnSilence || exchange === undefined) return;
    if (this.#resent || exchange.delivered || !this.#isRetriable() || this.isStanding) return;
    this.#resent = true;
    exchange.abort(RESEND);
  }

  #onExpire(peerSilent: boolean): void {
    const seconds = this.#requester.timeoutMs / 1000;
    const what = `${this.#request.method} ${this.#request.target}`;
    const unsent = this.#queued || !(this.#exchange?.started ?? false);
    const error = new HttpError('HTTP_TIMEOUT', `no answer to ${what} within ${seconds} s`, {
      unsent,
    });
    this.interrupt(this.#requester.transport.explainSilence() ?? error);
    if (peerSilent && !this.isStanding) this.#requester.transport.onSilence(error);
  }
}

/** The silence that another request noticed first, and that made it end the session. */
function silenceBehind(error: unknown): HttpError | undefined {
  const reset = error instanceof HttpError ? error.cause : undefined;
  const cause = reset instanceof Error ? reset.cause : undefined;
  if (!(cause instanceof HttpError) || cause.code !== 'HTTP_TIMEOUT') return undefined;
  return new HttpError('HTTP_TIMEOUT', 'the peer stopped answering', { cause: error });
}

function failedTransport(cause: Error): HttpError {
  return new HttpError('HTTP_UNREACHABLE', cause.message, { cause, unsent: true });
}
