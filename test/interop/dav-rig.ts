import { createTcpHttpClient, type TcpHttpOptions } from '../../src/http/tcp-client.js';
import type { HttpClient } from '../../src/http/types.js';
import { silentLogger } from '../../src/log.js';
import { createWebDavClient } from '../../src/webdav/client.js';
import { DavError, type GetOptions, type WebDavClient } from '../../src/webdav/types.js';
import { temporaryFolder, type RunningServer } from './servers.js';

export interface DavRig<Server extends RunningServer> {
  readonly dir: string;
  readonly server: Server;
  readonly http: HttpClient;
  readonly client: WebDavClient;
}

/** A server over a fresh folder, filled by `fill` before it starts, and a client on it. */
export async function withDav<Server extends RunningServer>(
  start: (dir: string) => Promise<Server>,
  body: (rig: DavRig<Server>) => Promise<void>,
  options: TcpHttpOptions & { readonly fill?: (dir: string) => void } = {},
): Promise<void> {
  const { dir, remove } = temporaryFolder();
  try {
    options.fill?.(dir);
    const server = await start(dir);
    const http = createTcpHttpClient(server.url, { timeoutMs: 10_000, ...options });
    const client = createWebDavClient(http, { log: silentLogger });
    try {
      await body({ dir, server, http, client });
    } finally {
      await client.close();
      await server.stop();
    }
  } finally {
    remove();
  }
}

export async function read(
  client: WebDavClient,
  path: string,
  options?: GetOptions,
): Promise<string> {
  const parts: Buffer[] = [];
  await client.get(path, { onData: (chunk) => parts.push(chunk) }, options);
  return Buffer.concat(parts).toString();
}

/** Matches a DavError of this status. */
export function withStatus(status: number): (error: unknown) => boolean {
  return (error) => error instanceof DavError && error.status === status;
}

export async function names(client: WebDavClient, path: string): Promise<string[]> {
  return [...(await client.list(path)).members.keys()].sort();
}
