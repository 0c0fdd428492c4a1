/** Somebody else changes a file at the peer while an upload of it is on its way, and more is written here meanwhile. */
import assert from 'node:assert/strict';
import { constants, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { FsError, RequestContext } from '../../../src/vfs/filesystem.js';
import { waitUntil } from '../../support/wait-until.js';
import { startHeldShare } from './held-share.js';

const ROOT = 1;
const { O_TRUNC, O_WRONLY } = constants;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

const errnoOf = (failing: unknown): Promise<string> =>
  Promise.resolve(failing).then(
    () => 'none',
    (error: unknown) => (error as FsError).errno,
  );

test('every content that lost is kept, and whoever wrote one is told', async (t) => {
  const { fs, root, ...rig } = await startHeldShare(t);
  writeFileSync(`${root}/f`, 'old');
  const { nodeId } = await fs.lookup(ROOT, 'f', ctx);
  const first = await fs.open(nodeId, O_WRONLY | O_TRUNC, ctx);
  const second = await fs.open(nodeId, O_WRONLY, ctx);
  await fs.write(nodeId, first.fh, 0, Buffer.from('one'), ctx);
  rig.hold('PUT');
  const closing = [errnoOf(fs.flush(nodeId, first.fh, ctx))];
  await waitUntil('the upload', () => rig.held() === 1);
  writeFileSync(`${root}/f`, 'of somebody else');
  // These two wait for the first, and upload what it has not brought.
  await fs.write(nodeId, second.fh, 0, Buffer.from('two'), ctx);
  closing.push(errnoOf(fs.flush(nodeId, second.fh, ctx)));
  rig.letGo('PUT');
  assert.deepEqual(await Promise.all(closing), ['ESTALE', 'ESTALE']);
  assert.throws(() => fs.flush(nodeId, second.fh, ctx), /kept as/);
  assert.throws(() => fs.write(nodeId, second.fh, 0, Buffer.from('three'), ctx), /kept as/);
  const there = readdirSync(root).map((name) => readFileSync(`${root}/${name}`, 'utf8'));
  assert.deepEqual(there.sort(), ['of somebody else', 'one', 'two']);
  for (const { fh } of [first, second]) await fs.release(nodeId, fh);
});
