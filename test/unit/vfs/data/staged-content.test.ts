/** Content that is staged over a version of the peer: against a buffer, and against a peer that is given nothing but the changes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { BaseContent, FileVersion, StagedFile } from '../../../../src/vfs/content.js';
import { ExtentSet } from '../../../../src/vfs/extent-set.js';
import { FsError } from '../../../../src/vfs/filesystem.js';
import { createStagedContent } from '../../../../src/vfs/staged-content.js';
import { KiB, never, pattern, seededRandom, temporaryFolder } from './helpers.js';

/** A file at the peer, which is read with a turn of the event loop between. */
class PeerFile implements BaseContent {
  bytes: Buffer;
  version: FileVersion;
  reads = 0;
  failure: Error | undefined;
  #tag = 1;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.version = { size: bytes.length, etag: '"1"', mtime: undefined };
  }

  async read(offset: number, length: number): Promise<Uint8Array[]> {
    this.reads += 1;
    const { version } = this;
    await new Promise(setImmediate);
    if (this.failure) throw this.failure;
    assert.equal(this.version, version);
    assert.ok(offset + length <= this.bytes.length, 'read beyond the version');
    const half = Math.ceil(length / 2);
    const piece = Buffer.from(this.bytes.subarray(offset, offset + length));
    return [piece.subarray(0, half), piece.subarray(half)];
  }

  rebase(version: FileVersion): void {
    assert.equal(version, this.version);
  }

  close(): void {
    this.failure = new Error('closed');
  }

  /** What our share does with the changes of a snapshot. */
  patch(parts: readonly { readonly start: number; readonly bytes: Buffer }[], size: number): void {
    const next = Buffer.alloc(size);
    const end = Math.max(size, ...parts.map(({ start, bytes }) => start + bytes.length));
    assert.equal(end, size, 'a part beyond the end');
    this.bytes.copy(next);
    for (const { start, bytes } of parts) bytes.copy(next, start);
    this.bytes = next;
    this.version = { size, etag: `"${(this.#tag += 1)}"`, mtime: undefined };
  }
}

function stage(t: TestContext, peer: PeerFile): StagedFile {
  const options = { cacheDir: temporaryFolder(t) };
  return createStagedContent(options, { version: peer.version, content: peer });
}

async function bytesOf(staging: StagedFile, offset = 0, length = staging.size): Promise<Buffer> {
  return Buffer.concat(await staging.read(offset, length, { signal: never }));
}

/** Uploads the changes; `meanwhile` begins after the snapshot, and may have to wait for the end of the upload. */
async function upload(
  staging: StagedFile,
  peer: PeerFile,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<void> {
  const snapshot = staging.snapshot();
  const { changes, size } = snapshot;
  assert.equal(changes!.base, peer.version);
  const expected: Buffer[] = [];
  for await (const piece of snapshot.open()) expected.push(Buffer.from(piece));
  const going = meanwhile();
  await new Promise(setImmediate);
  const parts = [];
  for (const { start, end } of changes!.extents) {
    parts.push({ start, bytes: Buffer.from(await snapshot.read(start, end - start)) });
  }
  peer.patch(parts, size);
  assert.ok(peer.bytes.equals(Buffer.concat(expected)), 'the peer has what the snapshot has');
  staging.confirm(snapshot, peer.version);
  snapshot.release();
  await going;
}

function splice(model: Buffer, offset: number, data: Buffer): Buffer {
  const next = Buffer.alloc(Math.max(model.length, offset + data.length));
  model.copy(next);
  data.copy(next, offset);
  return next;
}

function sized(model: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size);
  model.copy(next);
  return next;
}

test('random writes, truncations and uploads are what a buffer and a peer would hold', async (t) => {
  const random = seededRandom(t);
  for (let round = 0; round < 40; round += 1) {
    const limit = round % 2 === 0 ? 50 * KiB : 900 * KiB;
    const peer = new PeerFile(Buffer.from(pattern(7)(0, random(limit))));
    const staging = stage(t, peer);
    let model: Buffer = Buffer.from(peer.bytes);
    let fill = 0;
    const change = async (): Promise<void> => {
      if (random(4) === 0) {
        const size = random(3) === 0 ? random(model.length + 1) : random(limit);
        await staging.truncate(size);
        model = sized(model, size);
        return;
      }
      const offset = random(limit);
      const data = Buffer.from(pattern((fill += 1))(0, 1 + random(limit / 10)));
      await staging.write(offset, data);
      model = splice(model, offset, data);
    };
    for (let step = 0; step < 30; step += 1) {
      await change();
      const from = random(limit);
      const length = random(limit);
      const expected = model.subarray(from, from + length);
      assert.ok((await bytesOf(staging, from, length)).equals(expected), `step ${step}`);
      assert.equal(staging.size, model.length);
      const what = random(12);
      if (what < 3) await upload(staging, peer, what === 0 ? undefined : change);
      if (what === 3) await staging.complete({ signal: never });
    }
    assert.ok((await bytesOf(staging)).equals(model));
    await upload(staging, peer);
    assert.ok(peer.bytes.equals(model));
    await staging.close();
  }
});

test('only what was written is to be sent, and only what is read or missing is fetched', async (t) => {
  const peer = new PeerFile(Buffer.from(pattern(1)(0, 600 * KiB)));
  const staging = stage(t, peer);
  await staging.write(1000, Buffer.from('one'));
  await staging.write(500 * KiB, Buffer.from('two'));
  await staging.write(1003, Buffer.from('!'));
  await staging.truncate(700 * KiB);
  assert.equal(peer.reads, 0);
  const snapshot = staging.snapshot();
  assert.deepEqual(snapshot.changes!.extents, [
    { start: 1000, end: 1004 },
    { start: 500 * KiB, end: 500 * KiB + 3 },
  ]);
  assert.equal(snapshot.changes!.isWhole, false);
  snapshot.release();
  assert.equal((await bytesOf(staging, 1000, 4)).toString(), 'one!');
  assert.equal(peer.reads, 0);
  await upload(staging, peer);
  const next = staging.snapshot();
  assert.deepEqual(next.changes!.extents, []);
  next.release();
  await staging.complete({ signal: never });
  const reads = peer.reads;
  assert.ok((await bytesOf(staging)).equals(peer.bytes));
  assert.equal(peer.reads, reads, 'all of it is here now');
  await staging.close();
});

test('what was cut off is zero afterwards, also where the peer still has it', async (t) => {
  const peer = new PeerFile(Buffer.alloc(10 * KiB, 'x'));
  const staging = stage(t, peer);
  await staging.truncate(KiB);
  await staging.truncate(20 * KiB);
  await staging.write(30 * KiB, Buffer.from('end'));
  const expected = Buffer.alloc(30 * KiB + 3);
  expected.fill('x', 0, KiB);
  expected.write('end', 30 * KiB);
  assert.ok((await bytesOf(staging)).equals(expected));
  await upload(staging, peer);
  assert.ok(peer.bytes.equals(expected));
  // Cut off while an upload of it is on its way.
  await staging.write(5 * KiB, Buffer.from('more'));
  await upload(staging, peer, async () => {
    await staging.truncate(2 * KiB);
    await staging.truncate(8 * KiB);
  });
  await upload(staging, peer);
  assert.ok(
    peer.bytes.equals(Buffer.concat([expected.subarray(0, 2 * KiB), Buffer.alloc(6 * KiB)])),
  );
  await staging.close();
});

test('an upload that fails leaves what it was to bring', async (t) => {
  const peer = new PeerFile(Buffer.alloc(300 * KiB, 'x'));
  const staging = stage(t, peer);
  await staging.write(10, Buffer.from('first'));
  const failed = staging.snapshot();
  await staging.write(100, Buffer.from('second'));
  failed.release();
  const snapshot = staging.snapshot();
  assert.deepEqual(snapshot.changes!.extents, [
    { start: 10, end: 15 },
    { start: 100, end: 106 },
  ]);
  snapshot.release();
  await staging.close();
});

test('a base that is gone fails the read that needs it, and nothing else', async (t) => {
  const peer = new PeerFile(Buffer.alloc(300 * KiB, 'x'));
  const staging = stage(t, peer);
  await staging.write(10, Buffer.from('mine'));
  peer.failure = new FsError('ESTALE', 'gone');
  assert.equal((await bytesOf(staging, 10, 4)).toString(), 'mine');
  await assert.rejects(bytesOf(staging, 0, 20), { errno: 'ESTALE' });
  await assert.rejects(staging.complete({ signal: never }), { errno: 'ESTALE' });
  const snapshot = staging.snapshot();
  await assert.rejects(snapshot.changes!.complete(never), { errno: 'ESTALE' });
  assert.equal((await snapshot.read(10, 4)).toString(), 'mine');
  snapshot.release();
  await staging.close();
});

test('parallel writes, and the fetching of the rest, end in what was written', async (t) => {
  const size = 3 * 1024 * KiB;
  const peer = new PeerFile(Buffer.from(pattern(1)(0, size)));
  const staging = stage(t, peer);
  const expected = Buffer.from(peer.bytes);
  const writes: unknown[] = [];
  const fetching = staging.complete({ signal: never });
  for (let at = 0; at < size; at += 96 * KiB) {
    const data = Buffer.from(pattern(2)(at, 40 * KiB)).subarray(0, size - at);
    data.copy(expected, at);
    writes.push(staging.write(at, data));
    if (at % 5 === 0) await new Promise(setImmediate);
  }
  await Promise.all([fetching, ...writes]);
  assert.ok((await bytesOf(staging)).equals(expected));
  await upload(staging, peer);
  assert.ok(peer.bytes.equals(expected));
  await staging.close();
});

test('more pieces than are kept apart: the rest is fetched, and all of it is sent', async (t) => {
  const size = 64 * KiB;
  const peer = new PeerFile(Buffer.alloc(size, 'x'));
  const staging = stage(t, peer);
  const expected = Buffer.from(peer.bytes);
  for (let at = 0; at < size; at += 2) {
    await staging.write(at, Buffer.from('y'));
    expected[at] = 0x79;
  }
  const snapshot = staging.snapshot();
  assert.equal(snapshot.changes!.isWhole, true);
  assert.ok(snapshot.changes!.extents.length <= 4097);
  snapshot.release();
  assert.ok((await bytesOf(staging)).equals(expected));
  await upload(staging, peer);
  assert.ok(peer.bytes.equals(expected));
  await staging.close();
});

test('extents are the ranges that a set of bytes would be', (t) => {
  const random = seededRandom(t);
  for (let round = 0; round < 200; round += 1) {
    const set = new ExtentSet();
    const model = new Uint8Array(64);
    for (let step = 0; step < 30; step += 1) {
      const start = random(64);
      const end = Math.min(64, start + random(12));
      if (random(8) === 0) {
        set.cut(start);
        model.fill(0, start);
      } else {
        set.add(start, end);
        if (end > start) model.fill(1, start, end);
      }
      const listed = new Uint8Array(64);
      let before = -1;
      for (const extent of set.list()) {
        assert.ok(extent.start > before && extent.end > extent.start);
        before = extent.end;
        listed.fill(1, extent.start, extent.end);
      }
      assert.deepEqual(listed, model);
      const [from, to] = [random(64), random(65)];
      let at = Math.min(from, to);
      for (const part of set.split(at, to)) {
        assert.equal(part.start, at);
        for (; at < part.end; at += 1) assert.equal(model[at] === 1, part.inside);
      }
      assert.equal(at, Math.max(to, at));
      const all = model.subarray(from, to).every((value) => value === 1);
      assert.equal(set.covers(from, to), to <= from || all);
    }
  }
});
