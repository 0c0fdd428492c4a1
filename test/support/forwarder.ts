/** A TCP port whose connections are streams of a multiplexer: it puts programs that know only HTTP before what is on a channel. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { createOpenerMux } from '../../src/mux/mux.js';
import { channelOf } from './channels.js';
import { onCleanup } from './cleanup.js';
import { waitUntil } from './wait-until.js';

/** Gives the URL. */
export async function startForwarder(channel: string): Promise<string> {
  const mux = createOpenerMux(channelOf(channel));
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const stream = mux.openStream();
    // Either end that breaks off breaks the other; that is for the program to see.
    pipeline(socket, stream, socket, () => {
      socket.destroy();
      stream.destroy();
    });
  });
  const sockets = new Set<Socket>();
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await mux.close();
  };
  onCleanup({ run: close, runSync: () => undefined });
  await waitUntil('the session of the multiplexer', () => mux.connected);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
