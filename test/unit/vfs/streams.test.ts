/** A long new file is uploaded while it is written. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { test, type TestContext } from 'node:test';
import type { DavFileSystem } from '../../../src/vfs/dav-filesystem.js';
import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { waitUntil } from '../../support/wait-until.js';
import { startHeldShare } from './held-share.js';

const ROOT = 1;
const O_WRONLY = 1;
const PIECE = 128 * 1024;
const CONTENT = randomBytes(8 << 20);
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

interface Seen {
  readonly what: string;
  bytes: number;
  readonly cut: () => void;
}

interface Rig {
  readonly root: string;
  readonly mounted: DavFileSystem;
  /** Changes that the share was asked for. */
  readonly seen: Seen[];
}

async function start(t: TestContext): Promise<Rig> {
  const seen: Seen[] = [];
  const { root, fs: mounted } = await startHeldShare(t, {}, (req) => {
    if (['OPTIONS', 'PROPFIND', 'REPORT'].includes(req.method!)) return;
    const one = { what: `${req.method} ${req.url}`, bytes: 0, cut: () => req.socket.destroy() };
    seen.push(one);
    const push = req.push.bind(req);
    req.push = (chunk: Buffer | null, ...more) => {
      one.bytes += chunk?.length ?? 0;
      return push(chunk, ...more);
    };
  });
  return { root, mounted, seen };
}

interface Writer {
  readonly nodeId: number;
  readonly fh: number;
  readonly write: (from: number, to: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

async function create({ mounted }: Rig, name: string): Promise<Writer> {
  const { entry, fh } = await mounted.create(ROOT, name, 0o644, O_WRONLY, ctx);
  const { nodeId } = entry;
  return {
    nodeId,
    fh,
    async write(from, to) {
      for (let at = from; at < to; at += PIECE)
        await mounted.write(nodeId, fh, at, CONTENT.subarray(at, Math.min(to, at + PIECE)), ctx);
    },
    async close() {
      await mounted.flush(nodeId, fh, ctx);
      await mounted.release(nodeId, fh);
    },
  };
}

/** Half of the content is written, and on its way. */
async function half(rig: Rig, name: string): Promise<Writer> {
  const writer = await create(rig, name);
  await writer.write(0, CONTENT.length / 2);
  await waitUntil('bytes at the peer', () => (rig.seen.at(-1)?.bytes ?? 0) > 1 << 20);
  assert.equal(fs.existsSync(`${rig.root}/${name}`), false);
  return writer;
}

const stored = ({ root }: Rig, name: string): Buffer => fs.readFileSync(`${root}/${name}`);
const asked = ({ seen }: Rig): string[] => seen.map(({ what }) => what);

test('a long new file arrives while it is written, and is there when it is closed', async (t) => {
  const rig = await start(t);
  const writer = await half(rig, 'f');
  await writer.write(CONTENT.length / 2, CONTENT.length);
  await writer.close();
  assert.ok(stored(rig, 'f').equals(CONTENT));
  assert.deepEqual(asked(rig), ['PUT /f']);
});

test('mode and times that are set before the close are stored', async (t) => {
  const rig = await start(t);
  const writer = await half(rig, 'f');
  const mtime = { sec: 1_000_000_000, nsec: 0 };
  await rig.mounted.setattr(writer.nodeId, { mode: 0o100751, mtime }, writer.fh, ctx);
  await writer.close();
  const { mode, mtimeMs } = fs.statSync(`${rig.root}/f`);
  assert.equal(mode & 0o777, 0o751);
  assert.equal(Math.round(mtimeMs), 1e12);
  assert.deepEqual(asked(rig), ['PUT /f', 'PROPPATCH /f']);
  // The version is known: the next change is no conflict.
  const again = await rig.mounted.open(writer.nodeId, O_WRONLY, ctx);
  await rig.mounted.write(writer.nodeId, again.fh, 0, Buffer.from('x'), ctx);
  await rig.mounted.flush(writer.nodeId, again.fh, ctx);
  await rig.mounted.release(writer.nodeId, again.fh);
  assert.equal(stored(rig, 'f')[0], 'x'.charCodeAt(0));
});

test('fsync in the middle confirms what was written, the rest follows', async (t) => {
  const rig = await start(t);
  const writer = await half(rig, 'f');
  await rig.mounted.fsync(writer.nodeId, writer.fh, false, ctx);
  assert.ok(stored(rig, 'f').equals(CONTENT.subarray(0, CONTENT.length / 2)));
  await writer.write(CONTENT.length / 2, CONTENT.length);
  await writer.close();
  assert.ok(stored(rig, 'f').equals(CONTENT));
});

const CHANGES: Record<string, (rig: Rig, writer: Writer) => unknown> = {
  'is written over': ({ mounted }, { nodeId, fh }) =>
    mounted.write(nodeId, fh, 5, Buffer.from('head'), ctx),
  'is cut': ({ mounted }, { nodeId, fh }) => mounted.setattr(nodeId, { size: 3_000_000 }, fh, ctx),
  'is begun anew': ({ mounted }, { nodeId, fh }) => mounted.setattr(nodeId, { size: 0 }, fh, ctx),
  'gets a hole': ({ mounted }, { nodeId, fh }) =>
    mounted.write(nodeId, fh, 5 << 20, Buffer.from('x'), ctx),
  'loses its connection': ({ seen }) => seen.at(-1)?.cut(),
};

for (const [how, change] of Object.entries(CHANGES)) {
  test(`a file that ${how} on its way arrives as it is in the end`, async (t) => {
    const rig = await start(t);
    const writer = await half(rig, 'f');
    await change(rig, writer);
    const { attributes } = await rig.mounted.getattr(writer.nodeId, writer.fh, ctx);
    await writer.write(attributes.size, attributes.size + 3 * PIECE);
    const parts = await rig.mounted.read(writer.nodeId, writer.fh, 0, 16 << 20, ctx);
    const here = Buffer.concat([...parts]);
    await writer.close();
    assert.ok(stored(rig, 'f').equals(here));
    assert.deepEqual(fs.readdirSync(rig.root), ['f']);
  });
}

test('a file that is removed on its way never appears', async (t) => {
  const rig = await start(t);
  const writer = await half(rig, 'f');
  await rig.mounted.unlink(ROOT, 'f', ctx);
  await writer.close();
  await waitUntil('nothing is left', () => fs.readdirSync(rig.root).length === 0);
});

test('a file that is renamed on its way is there whole under its new name', async (t) => {
  const rig = await start(t);
  const writer = await half(rig, 'f');
  await rig.mounted.rename(ROOT, 'f', ROOT, 'g', 0, ctx);
  await writer.write(CONTENT.length / 2, CONTENT.length);
  await writer.close();
  assert.ok(stored(rig, 'g').equals(CONTENT));
  assert.deepEqual(fs.readdirSync(rig.root), ['g']);
});

test("somebody else's file of that name stays, what was written is kept beside", async (t) => {
  const rig = await start(t);
  const writer = await half(rig, 'f');
  fs.writeFileSync(`${rig.root}/f`, 'theirs');
  await assert.rejects(writer.close(), { errno: 'EEXIST' });
  await rig.mounted.release(writer.nodeId, writer.fh);
  assert.equal(stored(rig, 'f').toString(), 'theirs');
  const [kept] = fs.readdirSync(rig.root).filter((name) => name !== 'f');
  assert.ok(stored(rig, kept!).equals(CONTENT.subarray(0, CONTENT.length / 2)));
});

test('two are sent while they are written, the others when they are closed', async (t) => {
  const rig = await start(t);
  const writers = [await half(rig, '0'), await half(rig, '1'), await create(rig, '2')];
  await writers[2]!.write(0, CONTENT.length / 2);
  assert.deepEqual(asked(rig), ['PUT /0', 'PUT /1']);
  for (const writer of writers) {
    await writer.write(CONTENT.length / 2, CONTENT.length);
    await writer.close();
  }
  for (const name of ['0', '1', '2']) assert.ok(stored(rig, name).equals(CONTENT));
  assert.deepEqual(asked(rig), ['PUT /0', 'PUT /1', 'PUT /2']);
});
