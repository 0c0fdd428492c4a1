import { silentLogger, type Logger } from '../log.js';
import { systemClock, type Clock } from './clock.js';
import { Compression, type CompressMode } from './compression.js';
import type { Exchange } from './exchange.js';
import { RunningRequest } from './running-request.js';
import { Slots, type SlotLimits } from './slots.js';
import { HttpError, type HttpRequest, type HttpResponse } from './types.js';
import { Watchdog } from './watchdog.js';

/** How requests reach the peer: the part that differs between a mux and TCP. */
export interface Transport {
  /** The peer is there: an attempt may start. */
  readonly connected: boolean;
  onConnectedChange(listener: (connected: boolean) => void): () => void;
  /** Set when waiting for the peer can't help. */
  readonly failure: Error | undefined;
  /** Starts one attempt; everything else comes through `exchange`. Never throws. */
  send(request: HttpRequest, exchange: Exchange): void;
  /** Bytes from the peer so far, over all requests; `undefined`: count what exchanges receive. */
  bytesIn(): number | undefined;
  /** The peer was silent for the whole time: start anew. */
  onSilence(reason: Error): void;
  /** A better reason than silence, where what arrives is no answer. */
  explainSilence(): HttpError | undefined;
  /** A silent peer may answer on a new id (after a migration): send again at half-time. */
  readonly resendOnSilence: boolean;
  /** For how long a refused connection is tried again. */
  readonly unreachableRetryMs: number;
  close(): Promise<void>;
}

export interface RequesterOptions {
  readonly timeoutMs: number;
  readonly limits: SlotLimits;
  readonly clock?: Clock;
  readonly compress?: CompressMode;
  readonly log?: Logger;
}

/** Queue, deadlines and repetition around the attempts that a transport makes. */
export class Requester {
  readonly transport: Transport;
  readonly counters = new Map<string, number>();
  readonly clock: Clock;
  readonly slots: Slots;
  readonly watchdog: Watchdog;
  readonly compression: Compression;
  readonly timeoutMs: number;
  bytesReceived = 0;
  readonly #running = new Set<RunningRequest>();
  /** Of those, standing ones: what a transport counts has their bytes in it. */
  #standing = 0;
  readonly #unsubscribe: () => void;
  #closed = false;

  constructor(transport: Transport, options: RequesterOptions) {
    this.transport = transport;
    this.timeoutMs = options.timeoutMs;
    this.clock = options.clock ?? systemClock;
    this.slots = new Slots(options.limits);
    this.compression = new Compression(
      options.compress ?? 'auto',
      this.clock,
      options.log ?? silentLogger,
    );
    this.#unsubscribe = transport.onConnectedChange((connected) => {
      if (!connected) this.compression.forget();
    });
    this.watchdog = new Watchdog(
      this.clock,
      options.timeoutMs,
      () => (this.#standing > 0 ? undefined : transport.bytesIn()) ?? this.#receivedByAll(),
    );
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    if (this.#closed) throw closedError();
    request.signal?.throwIfAborted();
    const running = new RunningRequest(this, request);
    this.#running.add(running);
    if (running.isStanding) this.#standing += 1;
    try {
      return await running.run();
    } finally {
      this.#running.delete(running);
      if (running.isStanding) this.#standing -= 1;
      else this.bytesReceived += running.bytesIn;
    }
  }

  count(method: string): void {
    this.counters.set(method, (this.counters.get(method) ?? 0) + 1);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    for (const running of [...this.#running]) running.interrupt(closedError());
    await this.transport.close();
  }

  #receivedByAll(): number {
    let sum = this.bytesReceived;
    for (const running of this.#running) if (!running.isStanding) sum += running.bytesIn;
    return sum;
  }
}

function closedError(): HttpError {
  return new HttpError('HTTP_CLOSED', 'the HTTP client is closed', { unsent: true });
}
