/** Sending from memory that is filled again: what a large file costs is above all the memory that its bytes go through. */
import { Socket } from 'node:net';
import { ClientGoneError } from './errors.js';
import type { Exchange } from './exchange.js';

/** A socket calls back when the system has copied what was written; a multiplexer's stream may have it in a queue still. */
export function canReuse({ req }: Exchange): boolean {
  return req.socket instanceof Socket;
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
