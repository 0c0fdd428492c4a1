import { once } from 'node:events';
import { unlinkSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type ListenOptions, type Server } from 'node:net';
import type { Share } from './options.js';
import { errnoCode } from './errors.js';

export interface HttpListener {
  /** `http://127.0.0.1:8080/`, or `unix:/path`. */
  readonly address: string;
  /** Of TCP; the free one that was found for port 0. */
  readonly port: number | undefined;
  /** Resolves when accepting has failed for good; never, in good order. */
  readonly failed: Promise<Error>;
  /** Stops accepting; connections belong to the share. */
  close(): Promise<void>;
}

/** Serves the share as plain HTTP, without the multiplexer. Rejects with the error of listen(2). */
export async function listenHttp(
  share: Share,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<HttpListener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    share.attach(socket);
  });
  if ('path' in where) await removeDeadSocket(where.path);
  await listen(server, where);
  const address = server.address() as AddressInfo | string;
  const port = typeof address === 'string' ? undefined : address.port;
  return {
    address: typeof address === 'string' ? `unix:${address}` : formatUrl(address),
    port,
    failed: new Promise((resolve) => server.on('error', resolve)),
    close: async () => {
      if (!server.listening) return;
      // Its 'close' would wait for the connections; those belong to the share, which ends them.
      server.close();
      await Promise.resolve();
    },
  };
}

async function listen(server: Server, where: ListenOptions): Promise<void> {
  const failed = once(server, 'error').then(([error]) => Promise.reject(error as Error));
  const listening = once(server, 'listening');
  server.listen(where);
  await Promise.race([listening, failed]);
}

function formatUrl({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`;
}

/** A socket file whose process is gone keeps others from listening there. */
async function removeDeadSocket(path: string): Promise<void> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch (error) {
    if (errnoCode(error) === 'ECONNREFUSED') unlinkSync(path);
  } finally {
    socket.destroy();
  }
}
