/** A file that is open is kept for whoever has it open before its name goes; it may be closed, or opened, while that is being done. */
import assert from 'node:assert/strict';
import { constants, readFileSync, existsSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { FsError, RequestContext } from '../../../src/vfs/filesystem.js';
import { startHeldShare } from './held-share.js';
import { waitUntil } from '../../support/wait-until.js';

const ROOT = 1;
const { O_TRUNC, O_WRONLY } = constants;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

for (const how of ['renamed over', 'removed'] as const) {
  test(
    `a file is ${how}, and its last reader closes it meanwhile`,
    { timeout: 60_000 },
    async (t) => {
      const rig = await startHeldShare(t);
      writeFileSync(`${rig.root}/target`, Buffer.alloc(4 << 20, 'old '));
      writeFileSync(`${rig.root}/new`, 'new');
      const { nodeId } = await rig.fs.lookup(ROOT, 'target', ctx);
      await rig.fs.lookup(ROOT, 'new', ctx);
      const { fh } = await rig.fs.open(nodeId, 0, ctx);
      rig.hold('GET');
      const done =
        how === 'removed'
          ? rig.fs.unlink(ROOT, 'target', ctx)
          : rig.fs.rename(ROOT, 'new', ROOT, 'target', 0, ctx);
      await waitUntil('a GET of what is to be kept', () => rig.held() > 0);
      await rig.fs.release(nodeId, fh);
      rig.letGo('GET');
      await done;
      if (how === 'removed') assert.equal(existsSync(`${rig.root}/target`), false);
      else assert.equal(readFileSync(`${rig.root}/target`, 'utf8'), 'new');
    },
  );
}

test('a file that is opened while its name is replaced is read whole, or is not opened', async (t) => {
  const rig = await startHeldShare(t);
  const read = async (nodeId: number, fh: number): Promise<string> =>
    Buffer.concat([...(await rig.fs.read(nodeId, fh, 0, 100, ctx))]).toString();
  writeFileSync(`${rig.root}/target`, 'old');
  writeFileSync(`${rig.root}/new`, 'new');
  const { nodeId } = await rig.fs.lookup(ROOT, 'target', ctx);
  await rig.fs.lookup(ROOT, 'new', ctx);
  const first = await rig.fs.open(nodeId, 0, ctx);
  assert.equal(await read(nodeId, first.fh), 'old');
  await rig.fs.release(nodeId, first.fh);
  // The open has to tell the kernel of another version first; meanwhile the rename begins.
  let told: (() => void) | undefined;
  rig.fs.setInvalidator({
    inode: () => new Promise<void>((resolve) => (told = resolve)),
    entry: () => Promise.resolve(),
  });
  writeFileSync(`${rig.root}/target`, 'older');
  await delay(100);
  const opening = Promise.resolve(rig.fs.open(nodeId, 0, ctx));
  opening.catch(() => undefined);
  await waitUntil('a word to the kernel', () => told !== undefined);
  rig.hold('MOVE');
  const renaming = rig.fs.rename(ROOT, 'new', ROOT, 'target', 0, ctx);
  await waitUntil('the change', () => rig.held() === 1);
  told!();
  await delay(50);
  rig.letGo('MOVE');
  await renaming;
  const opened = await opening.catch((error: unknown) => (error as FsError).errno);
  if (typeof opened === 'string') {
    assert.equal(opened, 'ESTALE');
    return;
  }
  assert.match(await read(nodeId, opened.fh), /^(older|new)$/);
  await rig.fs.release(nodeId, opened.fh);
});

test('who holds a removed file without reading it sees what its last writer made of it', async (t) => {
  const { fs, root } = await startHeldShare(t);
  writeFileSync(`${root}/f`, 'a former version');
  const { nodeId } = await fs.lookup(ROOT, 'f', ctx);
  const { fh } = await fs.open(nodeId, O_WRONLY | O_TRUNC, ctx);
  await fs.write(nodeId, fh, 0, Buffer.from('new'), ctx);
  await fs.unlink(ROOT, 'f', ctx);
  const { mtime } = (await fs.getattr(nodeId, fh, ctx)).attributes;
  await fs.release(nodeId, fh);
  const { attributes } = await fs.getattr(nodeId, undefined, ctx);
  assert.deepEqual([attributes.size, attributes.nlink, attributes.mtime], [3, 0, mtime]);
});
