import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createContentReader, openContent, versionOf } from '../../../../src/vfs/reader/index.js';
import type { OpenedContent } from '../../../../src/vfs/reader/index.js';
import { createStaging } from '../../../../src/vfs/staging.js';
import {
  KiB,
  MiB,
  never,
  pattern,
  readAll,
  seededRandom,
  temporaryFolder,
  until,
} from './helpers.js';
import { PROFILES, ScriptedPeer } from './scripted-peer.js';

const kinds = ['apache', 'phodav'] as const;
const stale = { errno: 'ESTALE' };

function open(peer: ScriptedPeer, folder: string, path = '/f'): Promise<OpenedContent> {
  return openContent(() => path, peer.resource(path), peer.profile, peer.options(folder), never);
}

for (const kind of kinds) {
  const profile = PROFILES[kind];

  test(`${kind}: open and read of a small file is one request, later reads are synchronous`, async (t) => {
    const peer = new ScriptedPeer(profile);
    peer.put('/f', pattern(1)(0, 100 * KiB));
    const { reader, version } = await open(peer, temporaryFolder(t));
    assert.deepEqual(version, versionOf(peer.resource('/f')));
    assert.deepEqual(await readAll(reader, 0, 200 * KiB), pattern(1)(0, 100 * KiB));
    const again = reader.read(90 * KiB + 1, 20 * KiB, { signal: never });
    assert.ok(!(again instanceof Promise));
    assert.deepEqual(Buffer.concat(again), pattern(1)(90 * KiB + 1, 10 * KiB - 1));
    assert.deepEqual(reader.read(100 * KiB, 1, { signal: never }), []);
    assert.deepEqual(peer.methods(), ['GET']);
    reader.close();
  });

  test(`${kind}: an empty file is one request`, async (t) => {
    const peer = new ScriptedPeer(profile);
    peer.put('/f', Buffer.alloc(0));
    const { reader, version } = await open(peer, temporaryFolder(t));
    assert.equal(version.size, 0);
    assert.deepEqual(await reader.read(0, 10, { signal: never }), []);
    assert.deepEqual(peer.methods(), ['GET']);
  });

  test(`${kind}: opening finds the version that is there, whatever was known`, async (t) => {
    const folder = temporaryFolder(t);
    const sizes = [0, 1, 200 * KiB, MiB, MiB + 1, 9 * MiB];
    for (const before of sizes) {
      for (const after of sizes) {
        const peer = new ScriptedPeer(profile);
        peer.put('/f', pattern(1)(0, before));
        const known = peer.resource('/f');
        peer.put('/f', pattern(2)(0, after));
        const opened = await openContent(() => '/f', known, profile, peer.options(folder), never);
        assert.equal(opened.version.size, after);
        assert.equal(opened.version.etag, '"v2"');
        assert.deepEqual(await readAll(opened.reader, 0, after + 1), pattern(2)(0, after));
        opened.reader.close();
      }
    }
  });

  test(`${kind}: a missing file is the DavError of the GET`, async (t) => {
    const peer = new ScriptedPeer(profile);
    peer.put('/f', Buffer.alloc(5));
    const known = peer.resource('/f');
    peer.files.delete('/f');
    const opening = openContent(
      () => '/f',
      known,
      profile,
      peer.options(temporaryFolder(t)),
      never,
    );
    await assert.rejects(opening, { code: 'DAV_404' });
  });

  test(`${kind}: sequential, random and parallel reads are the file's bytes`, async (t) => {
    const random = seededRandom(t);
    const size = 12 * MiB + 12345;
    const peer = new ScriptedPeer(profile);
    peer.putVirtual('/f', size, pattern(7));
    const { reader } = await open(peer, temporaryFolder(t));
    const expect = async (offset: number, length: number): Promise<void> => {
      const got = await readAll(reader, offset, length);
      assert.ok(got.equals(pattern(7)(offset, Math.min(length, size - offset))));
    };
    const walk = async (step: number): Promise<void> => {
      for (let at = 0; at < size; at += step) await expect(at, step);
    };
    const jump = async (): Promise<void> => {
      for (let i = 0; i < 60; i += 1) await expect(random(size), 1 + random(300 * KiB));
    };
    await Promise.all([walk(128 * KiB), walk(MiB), jump(), jump()]);
    reader.close();
  });

  test(`${kind}: a lost answer is continued where it broke off`, async (t) => {
    const size = 12 * MiB;
    const peer = new ScriptedPeer(profile);
    peer.putVirtual('/f', size, pattern(3));
    let cuts = 0;
    peer.fault = ({ method }) =>
      method === 'GET' && (cuts += 1) <= 4 ? { cutAfter: 200 * KiB + 1 } : undefined;
    const { reader } = await open(peer, temporaryFolder(t));
    assert.ok((await readAll(reader, 0, size)).equals(pattern(3)(0, size)));
    reader.close();
  });

  test(`${kind}: a peer that stays away is an error, and no lasting one`, async (t) => {
    const size = 12 * MiB;
    const peer = new ScriptedPeer(profile);
    peer.putVirtual('/f', size, pattern(3));
    let requests = 0;
    peer.fault = () => ({ cutAfter: (requests += 1) === 1 ? 100 : 0 });
    const { reader } = await open(peer, temporaryFolder(t));
    await readAll(reader, 0, 100);
    await assert.rejects(readAll(reader, MiB, 10), { code: 'HTTP_LOST' });
    peer.fault = () => undefined;
    assert.ok((await readAll(reader, MiB, MiB)).equals(pattern(3)(MiB, MiB)));
    reader.close();
  });

  test(`${kind}: a file that changes at any point is ESTALE, never a mix`, async (t) => {
    const folder = temporaryFolder(t);
    const size = 12 * MiB + 17;
    for (let change = 0; change < 14; change += 1) {
      const peer = new ScriptedPeer(profile);
      peer.putVirtual('/f', size, pattern(1));
      // Each answer is short, so that the rest needs a new request, which meets the new version from the n-th on.
      let requests = 0;
      peer.fault = ({ method }) => {
        if (method !== 'GET') return undefined;
        if ((requests += 1) === change + 1) peer.putVirtual('/f', size, pattern(2));
        return { cutAfter: 1300 * KiB };
      };
      const { reader, version } = await open(peer, folder);
      const bytes = version.etag === '"v1"' ? pattern(1) : pattern(2);
      let failed = false;
      for (let at = 0; at < size; at += 400 * KiB) {
        try {
          assert.ok(
            (await readAll(reader, at, 400 * KiB)).equals(
              bytes(at, Math.min(400 * KiB, size - at)),
            ),
          );
          assert.ok(!failed, 'once failed so it stays failed');
        } catch (error) {
          assert.equal((error as { errno?: string }).errno, 'ESTALE');
          failed = true;
        }
      }
      assert.equal(failed, version.etag === '"v1"' && requests > change);
      if (failed) assert.throws(() => reader.read(0, 1, { signal: never }), stale);
      reader.close();
    }
  });

  test(`${kind}: a rename by ourselves is followed`, async (t) => {
    const size = 12 * MiB;
    const peer = new ScriptedPeer(profile);
    peer.putVirtual('/f', size, pattern(1));
    let path = '/f';
    const opened = await openContent(
      () => path,
      peer.resource('/f'),
      profile,
      peer.options(temporaryFolder(t)),
      never,
    );
    peer.fault = ({ method, path: asked }) => {
      if (method !== 'GET' || asked !== '/f' || path === '/g') return undefined;
      peer.files.set('/g', peer.files.get('/f')!);
      peer.files.delete('/f');
      // The answer to the request that is under way comes before we know.
      queueMicrotask(() => (path = '/g'));
      return undefined;
    };
    assert.ok((await readAll(opened.reader, 0, size)).equals(pattern(1)(0, size)));
    opened.reader.close();
  });

  test(`${kind}: one reader's interrupt leaves the bytes to the others`, async (t) => {
    const peer = new ScriptedPeer(profile);
    peer.putVirtual('/f', 9 * MiB, pattern(1));
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    peer.fault = () => ({ gate: (position) => (position >= 0 ? held : undefined) });
    const { reader } = await open(peer, temporaryFolder(t));
    const interrupt = new AbortController();
    const first = readAll(reader, 0, 100, interrupt.signal);
    const second = readAll(reader, 0, 100);
    const reason = new Error('interrupted');
    interrupt.abort(reason);
    await assert.rejects(first, reason);
    release();
    assert.deepEqual(await second, pattern(1)(0, 100));
    assert.equal(peer.calls.length, 1);
    reader.close();
  });

  test(`${kind}: close ends the transfers and the reads that wait`, async (t) => {
    const peer = new ScriptedPeer(profile);
    peer.putVirtual('/f', 9 * MiB, pattern(1));
    const gates: (() => void)[] = [];
    peer.fault = () => ({
      gate: (position) =>
        position > 0 ? new Promise<void>((resolve) => gates.push(resolve)) : undefined,
    });
    const { reader } = await open(peer, temporaryFolder(t));
    const waiting = readAll(reader, 128 * KiB, 10);
    await until(() => gates.length > 0);
    reader.close();
    await assert.rejects(waiting, { errno: 'EBADF' });
    assert.throws(() => reader.read(0, 1, { signal: never }), { errno: 'EBADF' });
    for (const release of gates) release();
  });

  test(`${kind}: an interrupted open ends the request`, async (t) => {
    const peer = new ScriptedPeer(profile);
    peer.put('/f', Buffer.alloc(10));
    const interrupt = new AbortController();
    peer.fault = () => {
      queueMicrotask(() => interrupt.abort(new Error('interrupted')));
      return undefined;
    };
    const opening = openContent(
      () => '/f',
      peer.resource('/f'),
      profile,
      peer.options(temporaryFolder(t)),
      interrupt.signal,
    );
    await assert.rejects(opening, /interrupted/);
  });

  test(`${kind}: copyTo brings the content into a staging file, holes included`, async (t) => {
    const size = 12 * MiB + 5;
    const content = pattern(4)(0, size);
    content.fill(0, MiB, 3 * MiB);
    content.fill(0, size - 1000);
    const peer = new ScriptedPeer(profile);
    peer.put('/f', content);
    const options = peer.options(temporaryFolder(t));
    const { reader } = await open(peer, options.cacheDir);
    for (const length of [size, MiB + 1, 0]) {
      const staging = createStaging(options);
      await reader.copyTo(staging, length, never);
      assert.equal(staging.size, length);
      const copied = Buffer.concat(await staging.read(0, size));
      assert.ok(copied.equals(content.subarray(0, length)));
      await staging.close();
    }
    reader.close();
  });

  test(`${kind}: a reader made for a known version fetches when it is read`, async (t) => {
    const options = new ScriptedPeer(profile).options(temporaryFolder(t));
    for (const size of [10, 2 * MiB, 9 * MiB]) {
      const peer = new ScriptedPeer(profile);
      peer.putVirtual('/f', size, pattern(5));
      const version = versionOf(peer.resource('/f'));
      const reader = createContentReader(() => '/f', version, profile, {
        ...options,
        client: peer.client,
      });
      assert.deepEqual(peer.calls, []);
      assert.ok((await readAll(reader, 0, size)).equals(pattern(5)(0, size)));
      peer.put('/f', Buffer.alloc(size));
      const other = createContentReader(() => '/f', version, profile, {
        ...options,
        client: peer.client,
      });
      await assert.rejects(readAll(other, 0, 1), stale);
      reader.close();
      other.close();
    }
  });
}
