/**
 * All connections and what each is waiting for. node:http has time limits for sockets only; a multiplexer's stream is none, so the
 * limits are kept here, for both alike.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { RunningTime } from '../running-time.js';

export interface Current {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

interface Connection {
  /** Waiting for the client since then (monotonic), or undefined: the server is at work. */
  waitingSince: number | undefined;
  /** The request that is being answered: the stall limit holds. Without one, that of the head. */
  current: Current | undefined;
  /** Of the stall limit, what earlier waits of this request have used up. */
  usedMs: number;
  /** Requests that came before the ones ahead of them were answered. */
  readonly pipelined: { readonly next: Current | undefined; readonly proceed: () => void }[];
}

export interface ConnectionLimits {
  readonly stallTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly maxConnections: number;
}

/** What a client has to move within the stall limit, or it holds a connection with a byte now and then. */
const LEAST_BYTES = 16 * 1024;
/** Requests that wait for their turn on one connection. No client known sends more than a few ahead. */
const MAX_PIPELINED = 100;
/** When there are too many connections, one that has been idle for this long makes room. */
const EVICT_AFTER_MS = 1000;

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #time = new RunningTime(() => performance.now());
  /** All that were added and aren't closed; undefined: has left, and may enter again. */
  readonly #open = new Map<Duplex, Connection | undefined>();
  #size = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** False: there are too many. */
  add(stream: Duplex): boolean {
    if (!this.enter(stream)) return false;
    stream.once('close', () => {
      this.leave(stream);
      this.#open.delete(stream);
    });
    return true;
  }

  /** As `add`, for a stream that has left before. */
  enter(stream: Duplex): boolean {
    if (this.#size >= this.#limits.maxConnections && !this.#evictIdle()) return false;
    const waitingSince = this.#time.now();
    this.#open.set(stream, { waitingSince, current: undefined, usedMs: 0, pipelined: [] });
    this.#size++;
    this.#timer ??= this.#startTimer();
    return true;
  }

  /** Is no connection any more. Who waits for a turn on it finds that out by itself. */
  leave(stream: Duplex): void {
    const connection = this.#open.get(stream);
    if (!connection) return;
    this.#open.set(stream, undefined);
    this.#size--;
    for (const { proceed } of connection.pipelined) proceed();
  }

  /**
   * A request's head is there. Gives a promise when it has to wait for its turn: the requests of a connection are done in their
   * order, for each may change what the next one asks for (RFC 9112 section 9.3.2).
   */
  begin(stream: Duplex, next: Current | undefined): Promise<void> | undefined {
    const connection = this.#open.get(stream);
    if (!connection) return undefined;
    if (!connection.current) {
      start(connection, next);
      return undefined;
    }
    if (connection.pipelined.length >= MAX_PIPELINED) stream.destroy();
    return new Promise((proceed) => connection.pipelined.push({ next, proceed }));
  }

  /** What is being answered on the connection. */
  current(stream: Duplex): Current | undefined {
    return this.#open.get(stream)?.current;
  }

  /** The request has been answered; a next one may come, or is there. */
  end(stream: Duplex): void {
    const connection = this.#open.get(stream);
    if (!connection) return;
    const next = connection.pipelined.shift();
    if (next) {
      start(connection, next.next);
      next.proceed();
    } else {
      connection.current = undefined;
      connection.waitingSince = this.#time.now();
    }
  }

  /** While the promise is pending, it is the client's turn. `bytesOf`: what was moved then. */
  async clientsTurn<T>(
    stream: Duplex,
    wait: Promise<T>,
    bytesOf: (result: T) => number,
  ): Promise<T> {
    const turn = this.clientsTurns(stream);
    turn.begin();
    try {
      const result = await wait;
      turn.moved(bytesOf(result));
      return result;
    } finally {
      turn.end();
    }
  }

  /** For turns that follow each other. */
  clientsTurns(stream: Duplex): ClientsTurn {
    const msPerByte = this.#limits.stallTimeoutMs / LEAST_BYTES;
    return new ClientsTurn(this.#open.get(stream), msPerByte, this.#time);
  }

  destroyAll(): void {
    for (const stream of this.#open.keys()) stream.destroy();
    this.#stopTimer();
  }

  #evictIdle(): boolean {
    const since = this.#time.now() - EVICT_AFTER_MS;
    let longest: { stream: Duplex; waitingSince: number } | undefined;
    for (const [stream, connection] of this.#open) {
      const waitingSince = connection?.waitingSince;
      if (connection?.current || waitingSince === undefined || waitingSince > since) continue;
      if (!longest || waitingSince < longest.waitingSince) longest = { stream, waitingSince };
    }
    if (!longest) return false;
    this.leave(longest.stream);
    longest.stream.destroy();
    return true;
  }

  #startTimer(): NodeJS.Timeout {
    const shortest = Math.min(this.#limits.stallTimeoutMs, this.#limits.headTimeoutMs);
    const everyMs = Math.max(shortest / 4, 10);
    let setAt = this.#time.now();
    const timer = setInterval(() => {
      this.#time.timerFired(setAt, everyMs);
      setAt = this.#time.now();
      this.#check(setAt);
    }, everyMs);
    return timer.unref();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(now: number): void {
    for (const [stream, connection] of this.#open) {
      const waitingSince = connection?.waitingSince;
      if (waitingSince === undefined) continue;
      const limit = connection?.current ? this.#limits.stallTimeoutMs : this.#limits.headTimeoutMs;
      if (now - waitingSince > limit) stream.destroy();
    }
    // Not with the last connection: of a client that makes one for each request, each would be the last.
    if (this.#size === 0) this.#stopTimer();
  }
}

function start(connection: Connection, current: Current | undefined): void {
  connection.current = current;
  connection.waitingSince = undefined;
  connection.usedMs = 0;
}

/** When the client has to move something, and what it has moved. */
export class ClientsTurn {
  readonly #connection: Connection | undefined;
  /** What a byte earns, of the stall limit. */
  readonly #msPerByte: number;
  readonly #time: RunningTime;
  #began = 0;

  constructor(connection: Connection | undefined, msPerByte: number, time: RunningTime) {
    this.#connection = connection;
    this.#msPerByte = msPerByte;
    this.#time = time;
  }

  begin(): void {
    const connection = this.#connection;
    if (!connection) return;
    this.#began = this.#time.now();
    connection.waitingSince = this.#began - connection.usedMs;
  }

  /** REQUIRES: it is the client's turn, and goes on to be. */
  moved(bytes: number): void {
    const connection = this.#connection;
    if (!connection) return;
    const now = this.#time.now();
    const used = connection.usedMs + now - this.#began;
    connection.usedMs = Math.max(0, used - bytes * this.#msPerByte);
    this.#began = now;
    connection.waitingSince = now - connection.usedMs;
  }

  /** The server is at work. Idempotent. */
  end(): void {
    if (this.#connection) this.#connection.waitingSince = undefined;
  }
}
