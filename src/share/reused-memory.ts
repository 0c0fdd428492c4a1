/** Sending from memory that is filled again: what a large file costs is above all the memory that its bytes go through. */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DuplexMuxStream } from '../mux/mux-stream.js';
import { ClientGoneError } from './errors.js';
import type { Exchange } from './exchange.js';

/** Does the connection call back only when the system has copied what was written? Sockets do, and channels on sockets. */
export function canReuse({ req }: Exchange): boolean {
  const stream: Duplex = req.socket;
  return stream instanceof DuplexMuxStream ? stream.keepsNothing : stream instanceof Socket;
}

/** Resolves when the connection is through with the bytes. REQUIRES: `canReuse`. */
export async function writeThrough(exchange: Exchange, bytes: Buffer): Promise<void> {
  const { req, res, context } = exchange;
  requireOpen(exchange);
  exchange.bytesOut += bytes.length;
  const through = new Promise<void>((resolve) => {
    const done = (): void => {
      res.off('close', done);
      resolve();
    };
    res.on('close', done);
    res.write(bytes, done);
  });
  await context.connections.clientsTurn(req.socket, through, () => bytes.length);
  requireOpen(exchange);
}

function requireOpen({ res }: Exchange): void {
  if (res.destroyed) throw new ClientGoneError('the connection closed during the response');
}
