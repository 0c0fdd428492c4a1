/**
 * A client_id carries one request. To node:http each would be a connection of its own, and to make and to end one (a stream, a parser,
 * listeners) costs more than a small request. So a stream whose id has ended in good order is kept for another id, and node:http sees a
 * connection that is kept alive.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { DuplexMuxStream } from '../mux/mux-stream.js';
import type { StreamKeeper } from '../mux/types.js';
import type { Connections } from './connections.js';

export class KeptStreams {
  readonly #connections: Connections;
  readonly #closing: AbortSignal;
  readonly #streams = new WeakMap<Duplex, KeptStream>();

  constructor(connections: Connections, closing: AbortSignal) {
    this.#connections = connections;
    this.#closing = closing;
  }

  /** REQUIRES: nobody reads the stream yet, and it is one of `connections`. */
  add(stream: Duplex): void {
    if (!(stream instanceof DuplexMuxStream)) return;
    const kept = new KeptStream(stream, this.#connections, this.#closing);
    this.#streams.set(stream, kept);
  }

  /** REQUIRES: nothing will be done for the request any more but to send what is left of its answer. */
  answered(req: IncomingMessage, res: ServerResponse): void {
    this.#streams.get(req.socket)?.answered(req, res);
  }
}

/** A longer head is that of a request for which a connection costs little. */
const MAX_HEAD_BYTES = 4096;
const HEAD_END = '\r\n\r\n';

/** Strict, so that the head ends there for the parser, too, whatever else that may take for a line end. */
const HEAD = /^[A-Z]+ \S+ HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)+\r\n$/;

/**
 * One stream, and where in its bytes a request ends. node:http doesn't tell whether more than the request has come, which its parser
 * would hold and put before what comes on the next id.
 */
class KeptStream implements StreamKeeper {
  readonly #stream: DuplexMuxStream;
  readonly #connections: Connections;
  readonly #closing: AbortSignal;
  /** Since the last place where a request is known to begin. */
  #received = 0;
  /** Of the request that begins there; undefined where it didn't come in one piece. */
  #headBytes: number | undefined;

  constructor(stream: DuplexMuxStream, connections: Connections, closing: AbortSignal) {
    this.#stream = stream;
    this.#connections = connections;
    this.#closing = closing;
    // Before node:http has its listener: what it has parsed has been counted.
    stream.on('data', (piece: Buffer) => {
      if (this.#received === 0) this.#headBytes = headLength(piece);
      this.#received += piece.length;
    });
  }

  answered(req: IncomingMessage, res: ServerResponse): void {
    if (!leavesConnection(req)) return;
    // Until then node:http may still end the connection.
    if (res.socket === null) this.#park(req);
    else res.once('finish', () => this.#park(req));
  }

  #park({ complete, headers }: IncomingMessage): void {
    const bodyBytes = Number(headers['content-length'] ?? 0);
    const headBytes = this.#headBytes;
    if (!complete || headBytes === undefined || headBytes + bodyBytes !== this.#received) return;
    this.#received = 0;
    this.#stream.parkAtEnd(this);
  }

  onParked(): void {
    this.#connections.leave(this.#stream);
  }

  onTakenUp(): boolean {
    return !this.#closing.aborted && this.#connections.enter(this.#stream);
  }
}

/** Undefined: not a whole head, or none that is certain to end there for the parser. */
function headLength(piece: Buffer): number | undefined {
  const at = piece.indexOf(HEAD_END);
  if (at < 0 || at > MAX_HEAD_BYTES) return undefined;
  const length = at + HEAD_END.length;
  return HEAD.test(piece.toString('latin1', 0, length)) ? length : undefined;
}

/** A request after which a connection goes on, and whose length is that of its head and what it says of its body. */
function leavesConnection({ headers }: IncomingMessage): boolean {
  const { connection = 'keep-alive', expect, upgrade } = headers;
  return (
    /^keep-alive$/i.test(connection) &&
    headers['transfer-encoding'] === undefined &&
    expect === undefined &&
    upgrade === undefined
  );
}
