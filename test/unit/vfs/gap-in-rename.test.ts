/** mod_dav removes what a MOVE replaces before it renames. Nobody at this mount is to see the name missing meanwhile. */
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { FsError, type RequestContext } from '../../../src/vfs/filesystem.js';
import { waitUntil } from '../../support/wait-until.js';
import { startHeldShare } from './held-share.js';

const ROOT = 1;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

for (const use of ['lookup', 'getattr'] as const) {
  test(`${use} of a name that is gone at the peer until its MOVE has ended`, async (t) => {
    let answered = 0;
    const rig = await startHeldShare(t, { attrTtlMs: 0 }, (req) => {
      if (req.method === 'PROPFIND') answered += 1;
    });
    const { root, fs } = rig;
    writeFileSync(`${root}/target`, 'old');
    writeFileSync(`${root}/new`, 'newer');
    const { nodeId } = await fs.lookup(ROOT, 'target', ctx);
    await fs.lookup(ROOT, 'new', ctx);
    rig.hold('MOVE');
    const renaming = fs.rename(ROOT, 'new', ROOT, 'target', 0, ctx);
    await waitUntil('the MOVE', () => rig.held() > 0);
    renameSync(`${root}/target`, `${root}/aside`);

    const before = answered;
    const used = (async () => {
      if (use === 'lookup') return (await fs.lookup(ROOT, 'target', ctx)).attributes.size;
      return (await fs.getattr(nodeId, undefined, ctx)).attributes.size;
    })().catch((error: unknown) => (error as FsError).errno);
    await waitUntil('the question', () => answered > before);
    await delay(50);
    renameSync(`${root}/aside`, `${root}/target`);
    rig.letGo('MOVE');
    await renaming;

    const told = await used;
    // The old file or the new one. Of a file that has lost its name, ESTALE: the kernel then looks the name up again.
    assert.ok([3, 5, ...(use === 'getattr' ? ['ESTALE'] : [])].includes(told), String(told));
    assert.equal((await fs.lookup(ROOT, 'target', ctx)).attributes.size, 5);
  });
}

test('an open whose GET meets the gap is tried again', async (t) => {
  const { root, fs, ...rig } = await startHeldShare(t);
  writeFileSync(`${root}/target`, 'old');
  writeFileSync(`${root}/new`, 'newer');
  const { nodeId } = await fs.lookup(ROOT, 'target', ctx);
  await fs.lookup(ROOT, 'new', ctx);
  rig.hold('GET');
  rig.hold('MOVE');
  const opened = Promise.resolve(fs.open(nodeId, 0, ctx)).catch((error: unknown) => error);
  await waitUntil('the GET', () => rig.held() > 0);
  const renaming = fs.rename(ROOT, 'new', ROOT, 'target', 0, ctx);
  await waitUntil('the MOVE', () => rig.held() > 1);
  renameSync(`${root}/target`, `${root}/aside`);
  rig.letGo('GET');
  await delay(50);
  renameSync(`${root}/aside`, `${root}/target`);
  rig.letGo('MOVE');
  const error = await opened;
  assert.ok(error instanceof FsError && error.errno === 'ESTALE', String(error));
  await renaming;
  assert.equal((await fs.lookup(ROOT, 'target', ctx)).attributes.size, 5);
});
