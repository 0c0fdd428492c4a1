/** davport is killed while an upload is on its way; the next mount finds what the journal has, and the peer what was sent. */
import assert from 'node:assert/strict';
import { constants, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '../../../src/log.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import type { DavFileSystem } from '../../../src/vfs/dav-filesystem.js';
import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { JournalFolder } from '../../../src/vfs/journal/journal-folder.js';
import type { WritebackOptions } from '../../../src/vfs/writeback.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { startHeldShare, type HeldShare } from './held-share.js';

const ROOT = 1;
const { O_CREAT, O_EXCL, O_WRONLY } = constants;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

async function journalIn(stagingDir: string): Promise<WritebackOptions> {
  const binding = loadNativeBinding();
  const request = { stagingDir, source: 'share', create: true, binding, log: silentLogger };
  const folder = (await JournalFolder.open(request))!;
  return { folder, accepts: true, limitBytes: 1e9, timeoutMs: 5000 };
}

interface Rig extends HeldShare {
  /** What a mount after a kill at this moment would find. */
  copyJournal(): string;
  requests: string[];
}

async function start(t: TestContext): Promise<Rig> {
  const staging = makeTempDir('davport-staging-');
  const requests: string[] = [];
  const note = ({ method }: IncomingMessage): void => void requests.push(method!);
  const rig = await startHeldShare(t, { writeback: await journalIn(staging) }, note);
  const copyJournal = (): string => {
    const copy = makeTempDir('davport-staging-');
    cpSync(staging, copy, { recursive: true });
    return copy;
  };
  return { ...rig, requests, copyJournal };
}

/** The next mount brings what the journal has, and nothing else appears. */
async function expectNext(
  t: TestContext,
  rig: Rig,
  journal: string,
  content: string,
): Promise<void> {
  const next = rig.again({ writeback: await journalIn(journal) });
  t.after(() => next.destroy());
  assert.equal(next.pending().length, 1);
  next.mounted();
  await waitUntil('everything brought', () => next.pending().length === 0);
  assert.deepEqual(readdirSync(rig.root), ['f']);
  assert.equal(readFileSync(`${rig.root}/f`, 'utf8'), content);
}

async function create(fs: DavFileSystem, flags: number): Promise<{ nodeId: number; fh: number }> {
  const { entry, fh } = await fs.create(ROOT, 'f', 0o644, flags | O_CREAT | O_WRONLY, ctx);
  return { nodeId: entry.nodeId, fh };
}

test('an fsync of more than was closed: the journal knows what it has sent', async (t) => {
  const rig = await start(t);
  const { fs } = rig;
  const { nodeId, fh } = await create(fs, 0);
  await fs.write(nodeId, fh, 0, Buffer.from('one'), ctx);
  await fs.flush(nodeId, fh, ctx);
  await fs.write(nodeId, fh, 3, Buffer.from(' two'), ctx);
  rig.hold('PUT');
  const synced = fs.fsync(nodeId, fh, false, ctx);
  await waitUntil('the upload', () => rig.held() > 0);
  const journal = rig.copyJournal();
  rig.letGo('PUT');
  await synced;
  await expectNext(t, rig, journal, 'one two');
});

test('a file made exclusively, whose upload nobody heard of, is ours', async (t) => {
  const rig = await start(t);
  const { fs } = rig;
  fs.mounted();
  const { nodeId, fh } = await create(fs, O_EXCL);
  await fs.write(nodeId, fh, 0, Buffer.from('content'), ctx);
  rig.hold('PUT');
  await fs.flush(nodeId, fh, ctx);
  await waitUntil('the upload', () => rig.held() > 0);
  const journal = rig.copyJournal();
  rig.letGo('PUT');
  await waitUntil('the end of it', () => fs.pending().length === 0);
  await expectNext(t, rig, journal, 'content');
});

test('in the background nothing is brought that is still being written', async (t) => {
  const rig = await start(t);
  const { fs, requests } = rig;
  const { nodeId, fh } = await create(fs, 0);
  rig.hold('PROPFIND');
  await fs.write(nodeId, fh, 0, Buffer.from('one'), ctx);
  await fs.flush(nodeId, fh, ctx);
  fs.mounted();
  await waitUntil('the question which share it is', () => rig.held() > 0);
  await fs.write(nodeId, fh, 3, Buffer.from(' two'), ctx);
  rig.letGo('PROPFIND');
  await delay(200);
  assert.ok(!requests.includes('PUT'), requests.join(' '));
  await fs.flush(nodeId, fh, ctx);
  await waitUntil('everything brought', () => fs.pending().length === 0);
  assert.equal(readFileSync(`${rig.root}/f`, 'utf8'), 'one two');
});

test('what is being written when an upload in the background loses is kept, too, and told', async (t) => {
  const { fs, root, ...rig } = await start(t);
  fs.mounted();
  const { nodeId, fh } = await create(fs, 0);
  await fs.write(nodeId, fh, 0, Buffer.from('one'), ctx);
  rig.hold('PUT');
  await fs.flush(nodeId, fh, ctx);
  await waitUntil('the upload', () => rig.held() > 0);
  writeFileSync(`${root}/f`, 'of somebody else');
  await fs.write(nodeId, fh, 3, Buffer.from(' two'), ctx);
  rig.letGo('PUT');
  const names = (): string[] => readdirSync(root).filter((name) => !name.endsWith('.part'));
  await waitUntil('the copies', () => names().length === 3);
  const there = names().map((name) => readFileSync(`${root}/${name}`, 'utf8'));
  assert.deepEqual(there.sort(), ['of somebody else', 'one', 'one two']);
  await assert.rejects(async () => fs.flush(nodeId, fh, ctx), /kept as/);
});
