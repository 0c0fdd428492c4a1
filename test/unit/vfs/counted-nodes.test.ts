/** What the kernel was told of it may use until it forgets it. */
import assert from 'node:assert/strict';
import { constants, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { waitUntil } from '../../support/wait-until.js';
import { startHeldShare } from './held-share.js';

const ROOT = 1;
const { S_IFREG } = constants;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

test('whatever is made is known by its number afterwards, and no longer when it was forgotten', async (t) => {
  const { fs } = await startHeldShare(t);
  const { nodeId: folder } = await fs.mkdir(ROOT, 'folder', 0o755, ctx);
  const made = {
    mknod: await fs.mknod(folder, 'file', S_IFREG | 0o644, ctx),
    mkdir: await fs.mkdir(folder, 'inner', 0o755, ctx),
    symlink: await fs.symlink(folder, 'link', 'target', ctx),
  };
  for (const [how, { nodeId, attributes }] of Object.entries(made)) {
    const { attributes: again } = await fs.getattr(nodeId, undefined, ctx);
    assert.equal(again.ino, attributes.ino, how);
    fs.forget(nodeId, 1);
    assert.throws(() => fs.getattr(nodeId, undefined, ctx), /unknown node/, how);
  }
});

test('a file that is forgotten while it is renamed is known by its new name', async (t) => {
  const { fs, root, ...rig } = await startHeldShare(t);
  writeFileSync(`${root}/old`, 'content');
  rig.hold('MOVE');
  const renaming = fs.rename(ROOT, 'old', ROOT, 'new', 0, ctx);
  await waitUntil('the change', () => rig.held() > 0);
  fs.forget((await fs.lookup(ROOT, 'old', ctx)).nodeId, 1);
  rig.letGo('MOVE');
  await renaming;
  const { nodeId } = await fs.lookup(ROOT, 'new', ctx);
  assert.equal((await fs.getattr(nodeId, undefined, ctx)).attributes.size, 7);
});
