/** Of more names than are to be remembered the kernel is asked to forget the oldest that nobody uses. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { waitUntil } from '../../support/wait-until.js';
import { startHeldShare } from './held-share.js';

const ROOT = 1;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

test('the oldest names are given back, but for those in use', async (t) => {
  const { fs, root } = await startHeldShare(t, { maxNodes: 100 });
  const asked = new Set<number>();
  fs.setInvalidator({
    inode: () => Promise.resolve(),
    entry: () => Promise.resolve(),
    prune: (nodeIds) => {
      for (const id of nodeIds) asked.add(id);
      // As the kernel does it: what is open stays.
      for (const id of nodeIds) if (id !== opened) fs.forget(id, 1);
      return Promise.resolve();
    },
  });
  const names = Array.from({ length: 300 }, (_, i) => `name-${i}`);
  for (const name of names) writeFileSync(`${root}/${name}`, name);
  const ids: number[] = [];
  let opened = 0;
  for (const name of names) {
    const { nodeId } = await fs.lookup(ROOT, name, ctx);
    ids.push(nodeId);
    if (ids.length > 1) continue;
    opened = nodeId;
    await fs.open(nodeId, 0, ctx);
  }
  await waitUntil('the oldest', () => asked.has(ids[1]!) && asked.has(ids[150]!));
  assert.ok(!asked.has(opened) && !asked.has(ROOT));
  // What was given back is found again.
  const { nodeId } = await fs.lookup(ROOT, 'name-1', ctx);
  assert.ok(nodeId > Math.max(...ids));
  assert.equal((await fs.getattr(opened, undefined, ctx)).attributes.size, 'name-0'.length);
});
