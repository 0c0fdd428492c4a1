/** A walk over our own share, with answers that take their time: what is asked ahead, and how much at once. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { createShare, listenHttp } from '../../../src/share/share.js';
import type { DavFileSystem } from '../../../src/vfs/dav-filesystem.js';
import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { makeFileSystem } from './file-system.js';

const ROOT = 1;
const FOLDERS = 100;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

interface Rig {
  readonly mounted: DavFileSystem;
  /** Paths, in the order in which they were asked for. */
  readonly listed: readonly string[];
  /** Most lists on their way at a time. */
  readonly most: () => number;
}

async function withTree(attrTtlMs: number, body: (rig: Rig) => Promise<void>): Promise<void> {
  const dir = makeTempDir('davport-walk-');
  for (let folder = 0; folder < FOLDERS; folder++) {
    fs.mkdirSync(path.join(dir, `d${folder}`));
    for (let i = 0; i < 3; i++) fs.writeFileSync(path.join(dir, `d${folder}`, `f${i}`), '');
  }
  const share = await createShare({ root: dir });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  const client = createWebDavClient(createTcpHttpClient(listener.address), { log: silentLogger });
  const listed: string[] = [];
  let running = 0;
  let most = 0;
  const list = client.list.bind(client);
  Object.assign(client, {
    async list(...given: Parameters<typeof list>) {
      listed.push(given[0]);
      running += 1;
      most = Math.max(most, running);
      await delay(5);
      return list(...given).finally(() => (running -= 1));
    },
  });
  const mounted = makeFileSystem({ client, attrTtlMs, negativeTtlMs: attrTtlMs });
  try {
    await body({ mounted, listed, most: () => most });
  } finally {
    await mounted.destroy();
    await listener.close();
    await share.close();
  }
}

async function namesIn(mounted: DavFileSystem, nodeId: number): Promise<string[]> {
  const names: string[] = [];
  const { fh } = await mounted.opendir(nodeId, ctx);
  await mounted.readdir(nodeId, fh, 0, ({ name }) => names.push(name) > 0, ctx);
  mounted.releasedir(nodeId, fh);
  return names.filter((name) => name !== '.' && name !== '..');
}

async function walk({ mounted }: Rig, order: (names: string[]) => string[]): Promise<void> {
  for (const name of order(await namesIn(mounted, ROOT))) {
    const { nodeId } = await mounted.lookup(ROOT, name, ctx);
    assert.deepEqual((await namesIn(mounted, nodeId)).sort(), ['f0', 'f1', 'f2'], name);
  }
}

for (const [what, order] of [
  ['of the listing', (names: string[]) => names],
  ['of the names', (names: string[]) => names.toSorted()],
  ['of the listing from the last one', (names: string[]) => names.toReversed()],
] as const) {
  test(`a walk in the order ${what}: each folder is asked for once, up to six at a time`, async () => {
    await withTree(60_000, async (rig) => {
      await walk(rig, order);
      assert.equal(rig.listed.length, FOLDERS + 1);
      assert.equal(new Set(rig.listed).size, FOLDERS + 1);
      assert.ok(rig.most() > 2 && rig.most() <= 6, String(rig.most()));
    });
  });
}

test('a walk that leaves out folders wastes few requests', async () => {
  await withTree(60_000, async (rig) => {
    const { mounted, listed } = rig;
    for (const name of (await namesIn(mounted, ROOT)).slice(0, 3)) {
      await namesIn(mounted, (await mounted.lookup(ROOT, name, ctx)).nodeId);
    }
    await delay(100);
    assert.ok(listed.length <= 1 + 3 + 6, listed.join());
  });
});

test('jumping about: nothing is asked ahead', async () => {
  await withTree(60_000, async (rig) => {
    await walk(rig, (names) => names.map((_, i) => names[(i * 37) % FOLDERS]!));
    assert.ok(rig.listed.length === FOLDERS + 1 && rig.most() === 1, String(rig.listed.length));
  });
});

test('where nothing may be kept, nothing is asked ahead', async () => {
  await withTree(0, async (rig) => {
    await walk(rig, (names) => names);
    assert.equal(rig.most(), 1);
  });
});
