import type { Socket } from 'node:net';
import { createTcpHttpClient, type TcpHttpOptions } from '../../../src/http/tcp-client.js';
import { HttpError, type HttpClient } from '../../../src/http/types.js';
import { startRawServer, type RawServer } from './raw-server.js';

export type Answer = (socket: Socket, head: string, index: number) => void;

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A server with this answer, a client on it, and what they do together. */
export async function withServer(
  answer: Answer,
  body: (client: HttpClient, server: RawServer) => Promise<void>,
  options: TcpHttpOptions = {},
  path = '',
): Promise<void> {
  const server = await startRawServer(answer);
  const client = createTcpHttpClient(server.url + path, { timeoutMs: 5000, ...options });
  try {
    await body(client, server);
  } finally {
    await client.close();
    await server.close();
  }
}

export const withCode = (code: string) => (error: unknown) =>
  error instanceof HttpError && error.code === code;
