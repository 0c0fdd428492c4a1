/** A file system over a share of a temporary folder, without a kernel; its requests can be held back. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { createShare } from '../../../src/share/share.js';
import type { DavFileSystem, DavFileSystemOptions } from '../../../src/vfs/dav-filesystem.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { makeFileSystem } from './file-system.js';

export interface HeldShare {
  readonly root: string;
  readonly fs: DavFileSystem;
  /** Another file system on the same share. */
  again(options: Partial<DavFileSystemOptions>): DavFileSystem;
  /** From now on these requests wait. */
  hold(method: string): void;
  held(): number;
  letGo(method: string): void;
  /** The next answer to such a request is lost, after the deed. */
  loseAnswer(method: string): void;
}

export async function startHeldShare(
  t: TestContext,
  options: Partial<DavFileSystemOptions> = {},
  onRequest: (req: http.IncomingMessage) => void = () => undefined,
): Promise<HeldShare> {
  const root = makeTempDir('davport-held-');
  const share = await createShare({ root });
  const holding = new Set<string>();
  const losing = new Set<string>();
  let waiting: { method: string | undefined; serve: () => void }[] = [];
  const server = http.createServer((req, res) => {
    onRequest(req);
    if (losing.delete(req.method!)) {
      const writeHead = res.writeHead.bind(res) as (...head: unknown[]) => http.ServerResponse;
      res.writeHead = (...head: unknown[]) => {
        req.socket.destroy();
        return writeHead(...head);
      };
    }
    const serve = (): void => share.handler(req, res);
    if (holding.has(req.method!)) waiting.push({ method: req.method, serve });
    else serve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = createTcpHttpClient(`http://127.0.0.1:${port}/`);
  const again = (more: Partial<DavFileSystemOptions>): DavFileSystem =>
    makeFileSystem({
      client: createWebDavClient(client, { log: silentLogger }),
      attrTtlMs: 1000,
      negativeTtlMs: 0,
      ...more,
    });
  const fs = again(options);
  t.after(async () => {
    await fs.destroy();
    await client.close();
    server.closeAllConnections();
    server.close();
    await share.close();
  });
  return {
    root,
    fs,
    again,
    hold: (method) => holding.add(method),
    held: () => waiting.length,
    letGo(method) {
      holding.delete(method);
      const free = waiting.filter((request) => request.method === method);
      waiting = waiting.filter((request) => request.method !== method);
      for (const { serve } of free) serve();
    },
    loseAnswer: (method) => losing.add(method),
  };
}
