/** A file that is open is kept for whoever has it open before its name goes; it may be closed while that is being done. */
import assert from 'node:assert/strict';
import { readFileSync, existsSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { createShare } from '../../../src/share/share.js';
import type { DavFileSystem } from '../../../src/vfs/dav-filesystem.js';
import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { makeFileSystem } from './file-system.js';
import { waitUntil } from '../../support/wait-until.js';

const ROOT = 1;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

interface Rig {
  readonly root: string;
  readonly fs: DavFileSystem;
  /** From now on GETs wait. */
  hold(): void;
  readonly held: number;
  letGo(): void;
}

async function start(t: TestContext): Promise<Rig> {
  const root = makeTempDir('davport-kept-');
  const share = await createShare({ root });
  let holding = false;
  let waiting: (() => void)[] = [];
  const server = http.createServer((req, res) => {
    const serve = (): void => share.handler(req, res);
    if (holding && req.method === 'GET') waiting.push(serve);
    else serve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = createTcpHttpClient(`http://127.0.0.1:${port}/`);
  const fs = makeFileSystem({
    client: createWebDavClient(client, { log: silentLogger }),
    attrTtlMs: 1000,
    negativeTtlMs: 0,
  });
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
    hold: () => (holding = true),
    get held() {
      return waiting.length;
    },
    letGo() {
      holding = false;
      for (const serve of waiting) serve();
      waiting = [];
    },
  };
}

for (const how of ['renamed over', 'removed'] as const) {
  test(
    `a file is ${how}, and its last reader closes it meanwhile`,
    { timeout: 60_000 },
    async (t) => {
      const rig = await start(t);
      writeFileSync(`${rig.root}/target`, Buffer.alloc(4 << 20, 'old '));
      writeFileSync(`${rig.root}/new`, 'new');
      const { nodeId } = await rig.fs.lookup(ROOT, 'target', ctx);
      await rig.fs.lookup(ROOT, 'new', ctx);
      const { fh } = await rig.fs.open(nodeId, 0, ctx);
      rig.hold();
      const done =
        how === 'removed'
          ? rig.fs.unlink(ROOT, 'target', ctx)
          : rig.fs.rename(ROOT, 'new', ROOT, 'target', 0, ctx);
      await waitUntil('a GET of what is to be kept', () => rig.held > 0);
      await rig.fs.release(nodeId, fh);
      rig.letGo();
      await done;
      if (how === 'removed') assert.equal(existsSync(`${rig.root}/target`), false);
      else assert.equal(readFileSync(`${rig.root}/target`, 'utf8'), 'new');
    },
  );
}
