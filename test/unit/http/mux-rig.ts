import { createServer, type RequestListener } from 'node:http';
import { createMuxHttpClient, type MuxHttpOptions } from '../../../src/http/mux-client.js';
import { HttpError, type HttpClient } from '../../../src/http/types.js';
import { createAcceptorMux, createOpenerMux } from '../../../src/mux/mux.js';
import type { Mux, MuxStream } from '../../../src/mux/types.js';
import {
  createMemoryChannelPair,
  type MemoryChannelControls,
} from '../../support/memory-channel.js';

export interface Rig {
  readonly client: HttpClient;
  readonly opener: Mux;
  readonly guest: MemoryChannelControls;
  /** Streams that the peer has taken up. */
  readonly streams: MuxStream[];
}

/** A client over a channel in memory whose other end is told of each stream. */
export async function withPeer(
  onStream: (stream: MuxStream, index: number) => void,
  body: (rig: Rig) => Promise<void>,
  options: MuxHttpOptions = {},
): Promise<void> {
  const ends = createMemoryChannelPair();
  const streams: MuxStream[] = [];
  const opener = createOpenerMux(ends.guest);
  const acceptor = createAcceptorMux(ends.host, {
    onStream: (stream) => {
      streams.push(stream);
      stream.on('error', () => undefined);
      onStream(stream, streams.length);
    },
  });
  const client = createMuxHttpClient(opener, { timeoutMs: 5000, ...options });
  try {
    await body({ client, opener, guest: ends.guest, streams });
  } finally {
    await client.close();
    await Promise.all([opener.close(), acceptor.close()]);
  }
}

/** As withPeer, with node:http at the other end. */
export function withServer(
  listener: RequestListener,
  body: (rig: Rig) => Promise<void>,
  options: MuxHttpOptions = {},
): Promise<void> {
  const server = createServer(listener);
  return withPeer((stream) => server.emit('connection', stream), body, options);
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Answers when the head of a request has arrived. */
export function answering(
  answer: string,
  then?: (stream: MuxStream) => void,
): (stream: MuxStream) => void {
  return (stream) =>
    stream.once('data', () => {
      stream.write(answer);
      then?.(stream);
    });
}

export const withCode = (code: string) => (error: unknown) =>
  error instanceof HttpError && error.code === code;
