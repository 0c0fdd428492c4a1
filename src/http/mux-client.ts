import { Client } from 'undici';
import type { Mux, MuxStream } from '../mux/types.js';
import type { Logger } from '../log.js';
import type { Clock } from './clock.js';
import type { CompressMode } from './compression.js';
import type { Exchange } from './exchange.js';
import { toDispatchOptions } from './dispatch-options.js';
import { Requester, type Transport } from './requester.js';
import type { SlotLimits } from './slots.js';
import { HttpError, type HttpClient, type HttpRequest } from './types.js';

export interface MuxHttpOptions {
  /** Deadline for a request that makes no progress. Default 30,000. */
  readonly timeoutMs?: number;
  /** Requests in flight with metadata; default 8. */
  readonly metadataInFlight?: number;
  /** Requests in flight with file content; default 8. */
  readonly bulkInFlight?: number;
  readonly clock?: Clock;
  /** Default auto. */
  readonly compress?: CompressMode;
  readonly log?: Logger;
}

/** What a host that listens on the local port of spice-webdavd is called by its clients; any value is accepted. */
const ORIGIN = 'http://localhost';

const MAX_IDLE_LANES = 32;

type Connect = (options: object, callback: (error: Error | null, stream: unknown) => void) => void;

/**
 * undici's Client for one request at a time, each on a client_id of its own. What undici takes for a connection that is kept is a
 * stream that gets a fresh id for each request: making a stream, a parser and the errors that end them costs more than the rest of a
 * request. A stream that isn't fit for that is destroyed after its response, and the next dispatch connects anew.
 */
class Lane {
  readonly client: Client;
  stream: MuxStream | undefined;
  exchange: Exchange | undefined;

  constructor(openStream: (lane: Lane) => MuxStream) {
    const connect: Connect = (_options, callback) => {
      // undici never writes the request when its connector calls back at once.
      queueMicrotask(() => {
        try {
          this.stream = openStream(this);
        } catch (error) {
          callback(error as Error, null);
          return;
        }
        callback(null, this.stream);
      });
    };
    this.client = new Client(ORIGIN, {
      connect: connect as never,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }
}

class MuxTransport implements Transport {
  readonly resendOnSilence = true;
  readonly unreachableRetryMs = 0;
  readonly #mux: Mux;
  readonly #idle: Lane[] = [];
  readonly #busy = new Set<Lane>();

  constructor(mux: Mux) {
    this.#mux = mux;
  }

  get connected(): boolean {
    return this.#mux.connected;
  }

  get failure(): Error | undefined {
    return this.#mux.failure;
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    return this.#mux.onConnectedChange(listener);
  }

  bytesIn(): number {
    return this.#mux.stats.bytesIn;
  }

  onSilence(reason: Error): void {
    // Several requests run into their deadline together; the first one ends the session for all.
    if (this.#mux.connected) this.#mux.restartSession(reason);
  }

  /** The mux takes frames for frames only when HTTP begins in them, and throws everything else away. */
  explainSilence(): HttpError | undefined {
    const { framesIn, junkBytes } = this.#mux.stats;
    if (framesIn > 0 || junkBytes === 0) return undefined;
    const message =
      `the other end sent ${junkBytes} bytes and no frame that carries HTTP: ` +
      'something other than a WebDAV server is there';
    return new HttpError('HTTP_PROTOCOL', message);
  }

  send(request: HttpRequest, exchange: Exchange): void {
    const lane = this.#takeLane();
    lane.exchange = exchange;
    if (lane.stream?.destroyed === false) lane.stream.priority = exchange.priority;
    else lane.stream = undefined;
    this.#busy.add(lane);
    exchange.bytesSent = () => lane.stream?.bytesSent ?? 0;
    exchange.onSettled = (clean) => this.#retire(lane, exchange, clean);
    try {
      lane.client.dispatch(toDispatchOptions(request, exchange, { reset: false }), exchange);
    } catch (error) {
      exchange.fail(error);
    }
  }

  async close(): Promise<void> {
    const lanes = [...this.#busy, ...this.#idle.splice(0)];
    await Promise.all(lanes.map((lane) => lane.client.destroy()));
  }

  /**
   * The lane used last, so that undici's own time limit ends what is no longer needed. A lane whose former stream is being closed
   * would make the request wait for that.
   */
  #takeLane(): Lane {
    const at = this.#idle.findLastIndex(
      ({ stream }) => stream?.destroyed !== true || stream.closed,
    );
    const [lane] = at < 0 ? [] : this.#idle.splice(at, 1);
    return lane ?? new Lane((own) => this.#openStream(own));
  }

  #openStream(lane: Lane): MuxStream {
    const priority = lane.exchange?.priority ?? 'metadata';
    return this.#mux.openStream({ priority });
  }

  /** Only a Client whose request ended in good order is used again. */
  #retire(lane: Lane, exchange: Exchange, clean: boolean): void {
    const sent = lane.stream?.bytesSent ?? 0;
    exchange.bytesSent = () => sent;
    this.#busy.delete(lane);
    lane.exchange = undefined;
    if (clean && this.#idle.length < MAX_IDLE_LANES) {
      // One that can't go on is destroyed before undici does it with an error, whose stack node would format.
      if (lane.stream?.park() === false) lane.stream.destroy();
      this.#idle.push(lane);
      return;
    }
    if (!clean) lane.stream?.destroy(new Error('the request was given up'));
    lane.client.destroy().catch(() => undefined);
  }
}

/** HTTP over a multiplexer: each request is alone on a fresh client_id, which is ended after the response. */
export function createMuxHttpClient(mux: Mux, options: MuxHttpOptions = {}): HttpClient {
  const requester = new Requester(new MuxTransport(mux), {
    timeoutMs: options.timeoutMs ?? 30_000,
    limits: toLimits(options),
    ...(options.clock && { clock: options.clock }),
    ...(options.compress && { compress: options.compress }),
    ...(options.log && { log: options.log }),
  });
  return {
    basePath: '',
    absoluteUrl: (target) => ORIGIN + target,
    request: (request) => requester.request(request),
    counters: requester.counters,
    get connected() {
      return mux.connected;
    },
    onConnectedChange: (listener) => mux.onConnectedChange(listener),
    close: () => requester.close(),
  };
}

function toLimits(options: MuxHttpOptions): SlotLimits {
  const metadata = options.metadataInFlight ?? 8;
  const bulk = options.bulkInFlight ?? 8;
  return { metadata, bulk, total: metadata + bulk };
}
