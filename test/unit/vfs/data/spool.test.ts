import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { silentLogger } from '../../../../src/log.js';
import { ContentSource } from '../../../../src/vfs/reader/content-source.js';
import { openContent, versionOf } from '../../../../src/vfs/reader/index.js';
import { SpoolReader } from '../../../../src/vfs/reader/spool-reader.js';
import { createStaging } from '../../../../src/vfs/staging.js';
import {
  KiB,
  MiB,
  never,
  pattern,
  readAll,
  smallFileSystem,
  temporaryFolder,
  until,
  withoutRoot,
} from './helpers.js';
import { PROFILES, ScriptedPeer } from './scripted-peer.js';

test('a disk that is slower than the peer stops the stream, which goes on where it stood', async (t) => {
  const size = 4 * MiB;
  const peer = new ScriptedPeer(PROFILES.phodav);
  peer.putVirtual('/f', size, pattern(1));
  const version = versionOf(peer.resource('/f'));
  const source = new ContentSource({ client: peer.client, log: silentLogger }, () => '/f', version);
  const limits = { maxPendingBytes: 60 * KiB, lowPendingBytes: 0 };
  const reader = new SpoolReader(source, temporaryFolder(t), limits);
  assert.ok((await readAll(reader, 0, size)).equals(pattern(1)(0, size)));
  assert.ok(peer.calls.length > 1);
  let before = 0;
  for (const { start = 0 } of peer.calls) {
    assert.ok(start >= before);
    before = start;
  }
  reader.close();
});

test('reads get what has arrived and wait for the rest only', async (t) => {
  const size = 9 * MiB;
  const peer = new ScriptedPeer(PROFILES.phodav);
  peer.putVirtual('/f', size, pattern(1));
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  peer.fault = () => ({ gate: (position) => (position >= MiB ? held : undefined) });
  const options = peer.options(temporaryFolder(t));
  const known = peer.resource('/f');
  const { reader } = await openContent(() => '/f', known, peer.profile, options, never);
  assert.ok((await readAll(reader, 0, MiB)).equals(pattern(1)(0, MiB)));
  const end = readAll(reader, size - 10, 10);
  const middle = readAll(reader, MiB - 5, 10);
  release();
  assert.deepEqual(await middle, pattern(1)(MiB - 5, 10));
  assert.deepEqual(await end, pattern(1)(size - 10, 10));
  assert.deepEqual(readdirSync(options.cacheDir), []);
  assert.equal(peer.calls.length, 1);
  reader.close();
});

test('zeros take no room in cache_dir', { skip: withoutRoot }, async (t) => {
  const size = 64 * MiB;
  const peer = new ScriptedPeer(PROFILES.phodav);
  peer.putVirtual('/f', size, (offset, length) =>
    offset < size - 64 * KiB ? Buffer.alloc(length) : pattern(1)(offset, length),
  );
  const options = peer.options(smallFileSystem(t, MiB));
  const known = peer.resource('/f');
  const { reader } = await openContent(() => '/f', known, peer.profile, options, never);
  assert.deepEqual(await readAll(reader, size - 10, 10), pattern(1)(size - 10, 10));
  assert.ok((await readAll(reader, 5 * MiB, MiB)).equals(Buffer.alloc(MiB)));
  reader.close();
});

test('a full cache_dir is ENOSPC for what does not fit', { skip: withoutRoot }, async (t) => {
  const size = 40 * MiB;
  const peer = new ScriptedPeer(PROFILES.phodav);
  peer.putVirtual('/f', size, pattern(1));
  const lines: string[] = [];
  const log = { ...silentLogger, error: (message: string) => void lines.push(message) };
  const options = { ...peer.options(smallFileSystem(t, 2 * MiB)), log };
  const known = peer.resource('/f');
  const { reader } = await openContent(() => '/f', known, peer.profile, options, never);
  await assert.rejects(readAll(reader, size - 10, 10), {
    errno: 'ENOSPC',
    message: /no space left in cache_dir/,
  });
  assert.equal(lines.length, 1);
  const calls = peer.calls.length;
  await assert.rejects(async () => reader.read(size - 10, 10, { signal: never }), {
    errno: 'ENOSPC',
  });
  assert.equal(peer.calls.length, calls);
  reader.close();
});

test(
  'a full cache_dir is ENOSPC for the write that does not fit',
  { skip: withoutRoot },
  async (t) => {
    const staging = createStaging({ cacheDir: smallFileSystem(t, MiB) });
    const step = 128 * KiB;
    let at = 0;
    const fill = async (): Promise<void> => {
      for (; at < 4 * MiB; at += step) await staging.write(at, pattern(1)(at, step));
    };
    await assert.rejects(fill(), { errno: 'ENOSPC' });
    assert.ok(at >= MiB / 2);
    assert.equal(staging.size, at);
    assert.ok(Buffer.concat(await staging.read(0, at)).equals(pattern(1)(0, at)));
    await staging.close();
  },
);

test(
  'a full cache_dir fails the write that a snapshot would need room for, not the snapshot',
  { skip: withoutRoot },
  async (t) => {
    const staging = createStaging({ cacheDir: smallFileSystem(t, MiB) });
    const content = pattern(1)(0, 768 * KiB);
    await staging.write(0, content);
    const snapshot = staging.snapshot();
    const overwrite = async (): Promise<void> => staging.write(0, Buffer.alloc(512 * KiB));
    await assert.rejects(overwrite(), { errno: 'ENOSPC' });
    const pieces: Uint8Array[] = [];
    for await (const piece of snapshot.open()) pieces.push(piece);
    assert.ok(Buffer.concat(pieces).equals(content));
    snapshot.release();
    await overwrite();
    assert.ok(Buffer.concat(await staging.read(0, 512 * KiB)).equals(Buffer.alloc(512 * KiB)));
    await staging.close();
  },
);

test('closing in the middle leaves nothing behind', async (t) => {
  const folder = temporaryFolder(t);
  for (const moment of [0, 1, 3, 10, 30]) {
    const peer = new ScriptedPeer(PROFILES.phodav);
    peer.putVirtual('/f', 9 * MiB, pattern(1));
    let chunks = 0;
    let close: (() => void) | undefined;
    peer.fault = () => ({
      gate: () => {
        if ((chunks += 1) === moment + 2) close?.();
        return undefined;
      },
    });
    const known = peer.resource('/f');
    const opened = await openContent(() => '/f', known, peer.profile, peer.options(folder), never);
    if (chunks < moment + 2) close = () => opened.reader.close();
    else opened.reader.close();
    await until(() => chunks >= moment + 2);
    assert.throws(() => opened.reader.read(0, 1, { signal: never }), { errno: 'EBADF' });
  }
  await until(() => !readdirSync('/proc/self/fd').some((fd) => isDeleted(fd, folder)));
});

function isDeleted(fd: string, folder: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
  } catch {
    return false;
  }
}
