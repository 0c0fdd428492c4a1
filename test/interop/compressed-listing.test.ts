/** Listings over slow and fast links, and from servers that compress or don't. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock, type Clock } from '../../src/http/clock.js';
import type { CompressMode } from '../../src/http/compression.js';
import { createMuxHttpClient } from '../../src/http/mux-client.js';
import type { HttpClient } from '../../src/http/types.js';
import { silentLogger } from '../../src/log.js';
import { createAcceptorMux, createOpenerMux } from '../../src/mux/mux.js';
import { createShare } from '../../src/share/share.js';
import { createWebDavClient } from '../../src/webdav/client.js';
import type { WebDavClient } from '../../src/webdav/types.js';
import { channelOf } from '../support/channels.js';
import { startRelay } from '../support/relay.js';
import { makeTempDir } from '../support/temp-dir.js';
import { names, read, withDav } from './dav-rig.js';
import { haveApache, haveChezdav, missing, startApache, startChezdav } from './servers.js';

const ENTRIES = 2000;
const CONTENT = 'x'.repeat(600_000);
const NAMES = [...Array.from({ length: ENTRIES }, (_, at) => `file-${at}`), 'content'].sort();

function fill(dir: string): void {
  for (let at = 0; at < ENTRIES; at += 1) writeFileSync(join(dir, `file-${at}`), String(at));
  writeFileSync(join(dir, 'content'), CONTENT);
}

interface Link {
  readonly client: WebDavClient;
  /** Bytes that the link carries from the peer meanwhile. */
  readonly moved: (work: () => Promise<unknown>) => Promise<number>;
  readonly listed: () => Promise<number>;
}

async function openShared(
  t: TestContext,
  bytesPerSecond: number,
  options: { compress: CompressMode; clock?: Clock },
): Promise<Link> {
  const root = makeTempDir('davport-compressed-');
  fill(root);
  const share = await createShare({ root, log: silentLogger });
  const socket = join(makeTempDir('davport-compressed-'), 's');
  const host = createAcceptorMux(channelOf(`unix-listen:${socket}`), {
    onStream: (stream) => share.attach(stream),
  });
  const relay = await startRelay(`unix:${socket}`, { roundTripMs: 0, bytesPerSecond });
  const guest = createOpenerMux(channelOf(relay.channel));
  const client = createWebDavClient(createMuxHttpClient(guest, options), { log: silentLogger });
  t.after(async () => {
    await client.close();
    await guest.close();
    await relay.close();
    await host.close();
    await share.close();
  });
  await client.profile();
  const moved = async (work: () => Promise<unknown>): Promise<number> => {
    const before = guest.stats.bytesIn;
    await work();
    return guest.stats.bytesIn - before;
  };
  const listed = (): Promise<number> =>
    moved(async () => assert.deepEqual(await names(client, ''), NAMES));
  return { client, moved, listed };
}

const SLOW = 1_000_000;

test('over a slow link a listing moves a fifth of its bytes at most', async (t) => {
  const plain = await openShared(t, SLOW, { compress: 'never' });
  const all = await plain.listed();
  assert.ok(all > 300 * ENTRIES, `${all} bytes`);
  const { client, listed } = await openShared(t, SLOW, { compress: 'auto' });
  await read(client, '/content');
  const moved = await listed();
  t.diagnostic(`${moved} bytes instead of ${all}`);
  assert.ok(moved * 5 < all, `${moved} bytes instead of ${all}`);
});

test('the first listing is enough to tell that the link is slow', async (t) => {
  const { listed } = await openShared(t, SLOW, { compress: 'auto' });
  const first = await listed();
  assert.ok((await listed()) * 5 < first);
});

test('over a fast link listings come as they are', async (t) => {
  // No time passes: nothing can be faster, whatever else the machine does.
  const clock = { ...systemClock, now: () => 0 };
  const { client, listed } = await openShared(t, Infinity, { compress: 'auto', clock });
  const first = await listed();
  assert.ok(first > 300 * ENTRIES, `${first} bytes`);
  await read(client, '/content');
  assert.ok((await listed()) * 1.1 > first);
});

test('what a search finds comes compressed as well', async (t) => {
  const bytes: number[] = [];
  for (const compress of ['always', 'never'] as const) {
    const { client, moved } = await openShared(t, Infinity, { compress });
    let found = 0;
    const where = { op: 'name', pattern: 'file-*' } as const;
    bytes.push(await moved(() => client.search('', { where, onFound: () => (found += 1) })));
    assert.equal(found, ENTRIES);
  }
  assert.ok(bytes[0]! * 4 < bytes[1]!, bytes.join(' and '));
});

async function codingOf(http: HttpClient): Promise<string | undefined> {
  const response = await http.request({
    method: 'PROPFIND',
    target: '/',
    headers: { depth: '1' },
    compressible: true,
    maxBodyBytes: 16 * 1024 * 1024,
  });
  assert.match(response.body.toString(), /multistatus>\s*$/);
  return response.headers['content-encoding'];
}

const DEFLATE = {
  modules: ['filter', 'deflate'],
  server: 'SetOutputFilter DEFLATE',
};

for (const { server, start, have, coding } of [
  { server: 'chezdav', start: startChezdav, have: haveChezdav, coding: undefined },
  { server: 'Apache', start: startApache, have: haveApache, coding: undefined },
  {
    server: 'Apache with mod_deflate',
    start: (dir: string) => startApache(dir, DEFLATE),
    have: haveApache,
    coding: 'gzip',
  },
]) {
  test(`${server}, when listings are asked for compressed`, { skip: missing(server, have) }, (t) =>
    withDav(
      start,
      async ({ client, http }) => {
        assert.equal(await codingOf(http), coding);
        assert.deepEqual(await names(client, ''), NAMES);
        assert.equal(await read(client, '/content'), CONTENT);
        assert.equal((await client.stat('/file-7')).size, 1);
        t.diagnostic(`content coding: ${coding ?? 'none'}`);
        assert.equal(http.counters.get('PROPFIND'), 3);
      },
      { fill, compress: 'always' },
    ),
  );
}
