/**
 * All connections and what each is waiting for. node:http has time limits for sockets only; a multiplexer's stream is none, so the
 * limits are kept here, for both alike.
 */
import type { Duplex } from 'node:stream';

interface Connection {
  /** Waiting for the client since then (monotonic), or undefined: the server is at work. */
  waitingSince: number | undefined;
  /** In the middle of a request: the stall limit holds, else that of the head. */
  busy: boolean;
}

export interface ConnectionLimits {
  readonly stallTimeoutMs: number;
  readonly headTimeoutMs: number;
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #open = new Map<Duplex, Connection>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#open.size;
  }

  add(stream: Duplex): void {
    this.#open.set(stream, { waitingSince: performance.now(), busy: false });
    stream.once('close', () => {
      this.#open.delete(stream);
      if (this.#open.size === 0) this.#stopTimer();
    });
    this.#timer ??= this.#startTimer();
  }

  /** A request's head is there. */
  begin(stream: Duplex): void {
    this.#set(stream, true, undefined);
  }

  /** The request has been answered; a next one may come. */
  end(stream: Duplex): void {
    this.#set(stream, false, performance.now());
  }

  /** While the promise is pending, it is the client's turn. */
  async clientsTurn<T>(stream: Duplex, wait: Promise<T>): Promise<T> {
    this.#set(stream, true, performance.now());
    try {
      return await wait;
    } finally {
      this.#set(stream, true, undefined);
    }
  }

  destroyAll(): void {
    for (const stream of this.#open.keys()) stream.destroy();
    this.#stopTimer();
  }

  #set(stream: Duplex, busy: boolean, waitingSince: number | undefined): void {
    const connection = this.#open.get(stream);
    if (!connection) return;
    connection.busy = busy;
    connection.waitingSince = waitingSince;
  }

  #startTimer(): NodeJS.Timeout {
    const shortest = Math.min(this.#limits.stallTimeoutMs, this.#limits.headTimeoutMs);
    return setInterval(() => this.#check(), Math.max(shortest / 4, 10)).unref();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    const now = performance.now();
    for (const [stream, { busy, waitingSince }] of this.#open) {
      const limit = busy ? this.#limits.stallTimeoutMs : this.#limits.headTimeoutMs;
      if (waitingSince !== undefined && now - waitingSince > limit) stream.destroy();
    }
  }
}
