/** Sending from memory that is filled again: what a large file costs is above all the memory that its bytes go through. */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DuplexMuxStream } from '../mux/mux-stream.js';
import type { ClientsTurn } from './connections.js';
import { ClientGoneError } from './errors.js';
import type { Exchange } from './exchange.js';

/** Does the connection call back only when the system has copied what was written? Sockets do, and channels on sockets. */
export function canReuse({ req }: Exchange): boolean {
  const stream: Duplex = req.socket;
  return stream instanceof DuplexMuxStream ? stream.keepsNothing : stream instanceof Socket;
}

/** The body of one response, piece by piece. REQUIRES: `canReuse`. */
export class ThroughWriter {
  readonly #exchange: Exchange;
  readonly #turn: ClientsTurn;
  #onThrough: (() => void) | undefined;

  constructor(exchange: Exchange) {
    const { req, res, context } = exchange;
    this.#exchange = exchange;
    this.#turn = context.connections.clientsTurns(req.socket);
    res.once('close', this.#through);
  }

  /** Resolves when the connection is through with the bytes. REQUIRES: with those before it, too. */
  async write(bytes: Buffer): Promise<void> {
    this.#requireOpen();
    this.#exchange.bytesOut += bytes.length;
    this.#turn.begin();
    await new Promise<void>((resolve) => {
      this.#onThrough = resolve;
      this.#exchange.res.write(bytes, this.#through);
    });
    this.#turn.moved(bytes.length);
    this.#turn.end();
    this.#requireOpen();
  }

  readonly #through = (): void => {
    this.#onThrough?.();
  };

  #requireOpen(): void {
    if (!this.#exchange.res.destroyed) return;
    throw new ClientGoneError('the connection closed during the response');
  }
}
