/** What was read is kept on disk, and believed for the version alone that the peer has. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLogger } from '../../../../src/log.js';
import { ContentCache } from '../../../../src/vfs/content-cache/content-cache.js';
import { openContent, versionOf } from '../../../../src/vfs/reader/index.js';
import type { ContentReader } from '../../../../src/vfs/content.js';
import {
  KiB,
  MiB,
  never,
  pattern,
  readAll,
  seededRandom,
  smallFileSystem,
  temporaryFolder,
  until,
  withoutRoot,
} from './helpers.js';
import { PROFILES, ScriptedPeer } from './scripted-peer.js';

const kinds = ['apache', 'phodav'] as const;

/** Mounts that follow each other over one folder. */
class Mounts {
  readonly folder: string;
  readonly peer: ScriptedPeer;
  readonly lines: string[] = [];
  identity = 'unix:/one';
  limitBytes = 64 * MiB;
  cache: ContentCache;

  constructor(t: TestContext, kind: (typeof kinds)[number], makeFolder = temporaryFolder) {
    // Before the folder goes.
    t.after(() => this.cache.close());
    this.folder = makeFolder(t);
    this.peer = new ScriptedPeer(PROFILES[kind]);
    this.cache = this.#newCache();
  }

  get contents(): string {
    return join(this.folder, 'contents');
  }

  /** What was read is used as of when it is written: by then. */
  async written(): Promise<void> {
    await this.cache.close();
  }

  /** The former one has written everything. */
  async next(): Promise<void> {
    await this.written();
    this.peer.calls.length = 0;
    this.cache = this.#newCache();
  }

  #newCache(): ContentCache {
    const log = createLogger('info', (line) => this.lines.push(line));
    return new ContentCache(this.contents, this.limitBytes, this.identity, log);
  }

  async open(path = '/f'): Promise<ContentReader> {
    const { peer, folder, cache } = this;
    const options = peer.options(folder, undefined, cache);
    const known = peer.resource(path);
    return (await openContent(() => path, known, peer.profile, options, never)).reader;
  }

  async readWhole(path = '/f'): Promise<Buffer> {
    const reader = await this.open(path);
    const parts: Buffer[] = [];
    for (let at = 0; at < reader.version.size; at += 128 * KiB) {
      parts.push(await readAll(reader, at, 128 * KiB));
    }
    reader.close();
    return Buffer.concat(parts);
  }

  /** Reads what there is and waits until as much of it is on disk. */
  async fill(size: number, path = '/f'): Promise<void> {
    await this.readWhole(path);
    await until(() => this.diskBytes() >= size);
  }

  diskBytes(): number {
    const files = fs.readdirSync(this.contents);
    // One may be removed between the two calls.
    const stats = files.map((name) =>
      fs.statSync(join(this.contents, name), { throwIfNoEntry: false }),
    );
    return stats.reduce((sum, stat) => sum + (stat?.blocks ?? 0) * 512, 0);
  }

  get fetched(): number {
    return this.peer.calls.filter(({ method }) => method === 'GET').length;
  }
}

for (const kind of kinds) {
  for (const size of [1, 100 * KiB, 9 * MiB + 12345]) {
    test(`${kind}: ${size} bytes are read from the disk by the next mount, and by no GET`, async (t) => {
      const mounts = new Mounts(t, kind);
      mounts.peer.put('/f', pattern(1)(0, size));
      await mounts.fill(size);
      await mounts.next();
      assert.ok((await mounts.readWhole()).equals(pattern(1)(0, size)));
      assert.deepEqual(mounts.peer.methods(), ['PROPFIND']);
    });
  }

  test(`${kind}: another version is fetched, however little differs`, async (t) => {
    const mounts = new Mounts(t, kind);
    mounts.peer.put('/f', pattern(1)(0, 300 * KiB));
    await mounts.fill(300 * KiB);
    mounts.peer.put('/f', pattern(2)(0, 300 * KiB));
    await mounts.next();
    assert.ok((await mounts.readWhole()).equals(pattern(2)(0, 300 * KiB)));
    assert.ok(mounts.fetched > 0);
  });

  test(`${kind}: what the disk has mangled is fetched again`, async (t) => {
    const random = seededRandom(t);
    const size = 3 * MiB;
    const mounts = new Mounts(t, kind);
    mounts.peer.put('/f', pattern(1)(0, size));
    await mounts.fill(size);
    const [name] = fs.readdirSync(mounts.contents);
    const file = join(mounts.contents, name!);
    for (let round = 0; round < 10; round += 1) {
      const bytes = fs.readFileSync(file);
      const at = random(bytes.length);
      bytes.fill(bytes[at]! ^ 0x40, at, Math.min(bytes.length, at + 1 + random(100 * KiB)));
      fs.writeFileSync(file, round % 3 === 2 ? bytes.subarray(0, at) : bytes);
      await mounts.next();
      assert.ok((await mounts.readWhole()).equals(pattern(1)(0, size)), `round ${round}`);
    }
  });
}

test('what changes between the look at the disk and the read is ESTALE or whole, never a mix', async (t) => {
  const size = 4 * MiB;
  const mounts = new Mounts(t, 'apache');
  mounts.peer.put('/f', pattern(1)(0, size));
  const first = await mounts.open();
  await readAll(first, 0, 1);
  await until(() => mounts.diskBytes() >= 256 * KiB);
  first.close();
  await mounts.next();
  const reader = await mounts.open();
  assert.equal(mounts.fetched, 0);
  mounts.peer.put('/f', pattern(2)(0, size));
  assert.ok((await readAll(reader, 0, 128 * KiB)).equals(pattern(1)(0, 128 * KiB)));
  await assert.rejects(readAll(reader, 2 * MiB, 128 * KiB), { errno: 'ESTALE' });
  reader.close();
});

test('parts that were read are used, the others fetched', async (t) => {
  const size = 32 * MiB;
  const mounts = new Mounts(t, 'apache');
  mounts.peer.put('/f', pattern(1)(0, size));
  const places = [0, 5 * MiB + 17, 20 * MiB, size - 100];
  const first = await mounts.open();
  for (const place of places) await readAll(first, place, 100);
  await until(() => mounts.diskBytes() >= places.length * 64 * KiB);
  first.close();
  await mounts.next();
  const second = await mounts.open();
  for (const place of places) {
    assert.ok((await readAll(second, place, 100)).equals(pattern(1)(place, 100)));
  }
  assert.equal(mounts.fetched, 0);
  assert.ok((await readAll(second, 9 * MiB, 100)).equals(pattern(1)(9 * MiB, 100)));
  assert.equal(mounts.fetched, 1);
  second.close();
});

test('another share, a weak ETag or none: nothing is used', async (t) => {
  const mounts = new Mounts(t, 'apache');
  mounts.peer.put('/f', pattern(1)(0, 1000));
  await mounts.fill(1000);
  mounts.identity = 'unix:/other';
  await mounts.next();
  await mounts.readWhole();
  assert.equal(mounts.fetched, 1);
  const version = versionOf(mounts.peer.resource('/f'));
  assert.ok(await mounts.cache.find('/f', version));
  for (const etag of [undefined, `W/${version.etag!}`]) {
    assert.equal(await mounts.cache.find('/f', { ...version, etag }), undefined);
  }
});

test('the bound holds, what was not used for longest goes first, also after a new mount', async (t) => {
  const size = 512 * KiB;
  const mounts = new Mounts(t, 'apache');
  mounts.limitBytes = 5 * size;
  await mounts.next();
  for (let index = 0; index < 12; index += 1) {
    mounts.peer.put(`/${index}`, pattern(index)(0, size));
    await mounts.readWhole(`/${index}`);
    await mounts.written();
    // The oldest is used all the time.
    await mounts.readWhole('/0');
    assert.ok(mounts.diskBytes() <= mounts.limitBytes, `${mounts.diskBytes()} bytes`);
  }
  await mounts.next();
  await mounts.readWhole('/0');
  assert.equal(mounts.fetched, 0);
  await mounts.readWhole('/1');
  assert.equal(mounts.fetched, 1);
  mounts.limitBytes = 2 * size;
  await mounts.next();
  await mounts.readWhole('/0');
  await until(() => mounts.diskBytes() <= mounts.limitBytes);
});

test('what is on its way to the disk when the mount ends is there for the next, and counted', async (t) => {
  const size = 100 * KiB;
  const mounts = new Mounts(t, 'apache');
  mounts.peer.put('/f', pattern(1)(0, size));
  const version = versionOf(mounts.peer.resource('/f'));
  mounts.cache.keep('/f', version, pattern(1)(0, size));
  await mounts.next();
  assert.ok(mounts.diskBytes() >= size);
  assert.ok((await mounts.cache.find('/f', version))?.has(0, size));
  assert.equal(mounts.cache.usedBytes, mounts.diskBytes());
});

test('a file that is larger than the bound is read all the same', async (t) => {
  const mounts = new Mounts(t, 'apache');
  mounts.limitBytes = MiB;
  await mounts.next();
  mounts.peer.put('/f', pattern(1)(0, 3 * MiB));
  assert.ok((await mounts.readWhole()).equals(pattern(1)(0, 3 * MiB)));
  assert.equal(mounts.diskBytes(), 0);
});

test('a full disk costs a line in the log and no read', { skip: withoutRoot }, async (t) => {
  const mounts = new Mounts(t, 'apache', (context) => smallFileSystem(context, MiB));
  mounts.peer.put('/f', pattern(1)(0, 3 * MiB));
  for (let round = 0; round < 3; round += 1) {
    assert.ok((await mounts.readWhole()).equals(pattern(1)(0, 3 * MiB)));
    await mounts.next();
  }
  assert.ok(mounts.lines.some((line) => line.includes('ENOSPC') && line.includes('cache_dir')));
});

test('a folder of somebody else is not used, and nobody else may use ours', async (t) => {
  const mounts = new Mounts(t, 'apache');
  mounts.peer.put('/f', pattern(1)(0, 1000));
  await mounts.fill(1000);
  assert.equal(fs.statSync(mounts.contents).mode & 0o777, 0o700);
  fs.chmodSync(mounts.contents, 0o777);
  await mounts.next();
  await mounts.readWhole();
  assert.equal(mounts.fetched, 0);
  assert.equal(fs.statSync(mounts.contents).mode & 0o777, 0o700);
  const elsewhere = temporaryFolder(t);
  fs.renameSync(mounts.contents, join(elsewhere, 'contents'));
  fs.symlinkSync(join(elsewhere, 'contents'), mounts.contents);
  await mounts.next();
  await mounts.readWhole();
  assert.equal(mounts.fetched, 1);
});

test('a folder that can not be used costs a line in the log and no read', async (t) => {
  const mounts = new Mounts(t, 'apache');
  await mounts.cache.find('/f', { size: 1, etag: '"x"', mtime: undefined });
  fs.rmSync(mounts.contents, { recursive: true });
  fs.writeFileSync(mounts.contents, 'a file');
  await mounts.next();
  mounts.peer.put('/f', pattern(1)(0, 3 * MiB));
  assert.ok((await mounts.readWhole()).equals(pattern(1)(0, 3 * MiB)));
  assert.equal(mounts.lines.filter((line) => line.includes('cache_dir')).length, 1);
});
