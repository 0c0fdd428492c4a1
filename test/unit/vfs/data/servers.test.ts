/** The same readers and uploads against real servers. */
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTcpHttpClient } from '../../../../src/http/tcp-client.js';
import type { HttpClient } from '../../../../src/http/types.js';
import { silentLogger } from '../../../../src/log.js';
import type { ContentReader, DataOptions, StagingFile } from '../../../../src/vfs/content.js';
import { openContent, versionOf } from '../../../../src/vfs/reader/index.js';
import { createStaging } from '../../../../src/vfs/staging.js';
import { createUploader } from '../../../../src/vfs/uploader.js';
import { createWebDavClient } from '../../../../src/webdav/client.js';
import type { Resource, WebDavClient } from '../../../../src/webdav/types.js';
import {
  haveApache,
  haveChezdav,
  missing,
  startApache,
  startChezdav,
  type RunningServer,
} from '../../../interop/servers.js';
import { temporaryFolder as servedFolder } from '../../../interop/servers.js';
import { KiB, MiB, never, readAll, temporaryFolder } from './helpers.js';

const SERVERS = {
  phodav: { start: startChezdav, skip: missing('chezdav', haveChezdav) },
  apache: { start: startApache, skip: missing('apache2', haveApache) },
} as const;

interface Peer {
  readonly folder: string;
  readonly server: RunningServer;
  readonly http: HttpClient;
  readonly client: WebDavClient;
  readonly options: DataOptions;
}

async function startPeer(t: TestContext, kind: keyof typeof SERVERS): Promise<Peer> {
  const { dir: folder, remove } = servedFolder();
  const server = await SERVERS[kind].start(folder);
  const http = createTcpHttpClient(server.url, { timeoutMs: 20_000 });
  const client = createWebDavClient(http, { log: silentLogger });
  t.after(async () => {
    await client.close();
    await server.stop();
    remove();
  });
  assert.equal((await client.profile()).name, kind);
  const options = {
    client,
    log: silentLogger,
    cacheDir: temporaryFolder(t),
    readAheadBytes: 64 * MiB,
  };
  return { folder, server, http, client, options };
}

async function open(peer: Peer, path: string): Promise<ContentReader> {
  const known = await peer.client.stat(path);
  return (await openContent(() => path, known, peer.client.knownProfile!, peer.options, never))
    .reader;
}

async function upload(
  peer: Peer,
  path: string,
  content: Buffer,
  expect: Resource | 'absent',
): Promise<Resource> {
  const staging: StagingFile = createStaging(peer.options);
  await staging.write(0, content);
  const snapshot = staging.snapshot();
  try {
    const target = {
      path,
      expect: expect === 'absent' ? expect : versionOf(expect),
      posix: undefined,
    };
    return (await createUploader(peer.options).upload(target, snapshot, never)).resource;
  } finally {
    snapshot.release();
    await staging.close();
  }
}

function sparse(path: string, size: number, tail: string): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  writeSync(fd, tail, size - tail.length);
  closeSync(fd);
}

const bytes = (size: number): Buffer => randomFillSync(Buffer.alloc(size));

for (const [kind, { skip }] of Object.entries(SERVERS) as [
  'phodav' | 'apache',
  { skip: string | false },
][]) {
  test(`${kind}: what was uploaded is what is read`, { skip }, async (t) => {
    const peer = await startPeer(t, kind);
    for (const size of [0, 1, 300 * KiB, MiB, 5 * MiB + 3]) {
      const content = bytes(size);
      const stored = await upload(peer, `/f${size}`, content, 'absent');
      assert.equal(stored.size, size);
      assert.ok(readFileSync(join(peer.folder, `f${size}`)).equals(content));
      const reader = await open(peer, `/f${size}`);
      assert.ok((await readAll(reader, 0, size + 10)).equals(content));
      assert.deepEqual(versionOf(await peer.client.stat(`/f${size}`)).size, size);
      reader.close();
      const next = bytes(size + 1);
      await upload(peer, `/f${size}`, next, stored);
      assert.ok(readFileSync(join(peer.folder, `f${size}`)).equals(next));
    }
    assert.deepEqual(
      readdirSync(peer.folder).filter((name) => name.startsWith('.davport')),
      [],
    );
  });

  test(`${kind}: requests of an upload`, { skip }, async (t) => {
    const peer = await startPeer(t, kind);
    const cost = async (work: () => Promise<unknown>): Promise<number> => {
      const sum = (): number => [...peer.http.counters.values()].reduce((a, b) => a + b, 0);
      const before = sum();
      await work();
      return sum() - before;
    };
    let stored: Resource | undefined;
    const create = async (): Promise<void> => {
      stored = await upload(peer, '/f', bytes(1000), 'absent');
    };
    assert.equal(await cost(create), kind === 'phodav' ? 3 : 2);
    assert.equal(
      await cost(() => upload(peer, '/f', bytes(2000), stored!)),
      kind === 'phodav' ? 5 : 2,
    );
  });

  test(
    `${kind}: a version that changed is a conflict copy, one that appeared too`,
    { skip },
    async (t) => {
      const peer = await startPeer(t, kind);
      const stored = await upload(peer, '/f', Buffer.from('first'), 'absent');
      writeFileSync(join(peer.folder, 'f'), 'by someone else');
      const ours = Buffer.from('ours');
      await assert.rejects(upload(peer, '/f', ours, stored), { errno: 'ESTALE' });
      await assert.rejects(upload(peer, '/f', ours, 'absent'), { errno: 'EEXIST' });
      assert.equal(readFileSync(join(peer.folder, 'f'), 'utf8'), 'by someone else');
      const others = readdirSync(peer.folder).filter((name) => name !== 'f' && name !== '.DAV');
      assert.equal(others.length, 2, others.join());
      for (const name of others) {
        assert.match(name, /^f \(conflict \d{4}-\d\d-\d\d \d\d-\d\d-\d\d\)( 2)?$/);
        assert.equal(readFileSync(join(peer.folder, name), 'utf8'), 'ours');
      }
    },
  );

  test(`${kind}: a folder that is gone is ENOENT`, { skip }, async (t) => {
    const peer = await startPeer(t, kind);
    const storing = upload(peer, '/gone/f', Buffer.from('x'), 'absent');
    await assert.rejects(storing, (error: Error & { errno?: string; code?: string }) => {
      assert.ok(error.errno === 'ENOENT' || error.code === 'DAV_404', String(error));
      return true;
    });
  });

  test(`${kind}: a file that changes while it is read is ESTALE`, { skip }, async (t) => {
    const peer = await startPeer(t, kind);
    const content = bytes(3 * MiB);
    writeFileSync(join(peer.folder, 'f'), content);
    const options = { ...peer.options };
    const known = await peer.client.stat('/f');
    const { reader } = await openContent(
      () => '/f',
      known,
      peer.client.knownProfile!,
      options,
      never,
    );
    assert.ok((await readAll(reader, 0, 1000)).equals(content.subarray(0, 1000)));
    writeFileSync(join(peer.folder, 'f'), bytes(4 * MiB));
    for (let at = 0; at < 3 * MiB; at += 64 * KiB) {
      const outcome = await readAll(reader, at, 64 * KiB).catch((error: unknown) => error);
      if (outcome instanceof Buffer) assert.ok(outcome.equals(content.subarray(at, at + 64 * KiB)));
      else assert.equal((outcome as { errno?: string }).errno, 'ESTALE');
    }
    reader.close();
  });

  test(
    `${kind}: the server dies in the middle of a PUT: the target is old or new`,
    { skip },
    async (t) => {
      const peer = await startPeer(t, kind);
      const old = bytes(10 * KiB);
      const stored = await upload(peer, '/f', old, 'absent');
      const content = bytes(48 * MiB);
      const staging = createStaging(peer.options);
      await staging.write(0, content);
      const snapshot = staging.snapshot();
      let sent = 0;
      const cut = {
        ...snapshot,
        async *open() {
          for await (const piece of snapshot.open()) {
            sent += piece.length;
            if (sent > 20 * MiB) void peer.server.kill();
            yield piece;
          }
        },
      };
      const target = { path: '/f', expect: versionOf(stored), posix: undefined };
      const interrupt = AbortSignal.timeout(8000);
      await assert.rejects(createUploader(peer.options).upload(target, cut, interrupt));
      assert.ok(sent > 20 * MiB);
      const present = readFileSync(join(peer.folder, 'f'));
      assert.ok(present.equals(old) || present.equals(content));
      snapshot.release();
      await staging.close();
    },
  );

  test(`${kind}: reading a large file takes bounded memory`, { skip }, async (t) => {
    const peer = await startPeer(t, kind);
    const size = 512 * MiB;
    sparse(join(peer.folder, 'big'), size, 'the end');
    const reader = await open(peer, '/big');
    const before = process.memoryUsage().rss;
    let most = 0;
    for (let at = 0; at < size; at += MiB) {
      const pieces = await reader.read(at, MiB, { signal: never });
      assert.equal(
        pieces.reduce((sum, piece) => sum + piece.length, 0),
        MiB,
      );
      most = Math.max(most, process.memoryUsage().rss);
    }
    assert.equal((await readAll(reader, size - 7, 7)).toString(), 'the end');
    t.diagnostic(`rss +${Math.round((most - before) / MiB)} MiB`);
    assert.ok(most - before < 200 * MiB, `${Math.round((most - before) / MiB)} MiB more`);
    reader.close();
  });
}

test('phodav: a file that is replaced keeps its mode', { skip: SERVERS.phodav.skip }, async (t) => {
  const peer = await startPeer(t, 'phodav');
  const path = join(peer.folder, 'script');
  writeFileSync(path, '#!/bin/sh', { mode: 0o755 });
  await upload(peer, '/script', Buffer.from('#!/bin/sh -e'), await peer.client.stat('/script'));
  assert.equal(readFileSync(path, 'utf8'), '#!/bin/sh -e');
  assert.equal(statSync(path).mode & 0o777, 0o755);
});

test('phodav: the end of a 5 GiB file', { skip: SERVERS.phodav.skip }, async (t) => {
  const peer = await startPeer(t, 'phodav');
  const size = 5 * 1024 * MiB;
  sparse(join(peer.folder, 'big'), size, 'the end');
  const reader = await open(peer, '/big');
  assert.equal(reader.version.size, size);
  assert.equal((await readAll(reader, size - 7, 100)).toString(), 'the end');
  assert.equal(peer.http.counters.get('GET'), 1);
  reader.close();
});

test(
  'apache: the end of a 5 GiB file is one small request',
  { skip: SERVERS.apache.skip },
  async (t) => {
    const peer = await startPeer(t, 'apache');
    const size = 5 * 1024 * MiB;
    sparse(join(peer.folder, 'big'), size, 'the end');
    const reader = await open(peer, '/big');
    assert.equal((await readAll(reader, size - 7, 100)).toString(), 'the end');
    assert.equal(peer.http.counters.get('GET'), 2);
    reader.close();
  },
);
