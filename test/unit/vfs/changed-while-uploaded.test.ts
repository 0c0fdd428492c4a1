/** A file is changed while an upload of it is on its way; the change may take effect only when that is over. */
import assert from 'node:assert/strict';
import { constants, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { waitUntil } from '../../support/wait-until.js';
import { startHeldShare } from './held-share.js';

const ROOT = 1;
const { O_CREAT, O_RDWR } = constants;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };
/** Kept in a file: a cut waits for those who read it. */
const CONTENT = Buffer.alloc(900_000, 'content ');

for (const how of ['cut', 'written over'] as const) {
  test(`what is ${how} while an upload ends is brought by the next close`, async (t) => {
    const { fs, root, ...rig } = await startHeldShare(t);
    const { entry, fh } = await fs.create(ROOT, 'f', 0o644, O_RDWR | O_CREAT, ctx);
    const { nodeId } = entry;
    await fs.write(nodeId, fh, 0, CONTENT, ctx);
    rig.hold('PUT');
    const first = fs.flush(nodeId, fh, ctx);
    await waitUntil('the upload', () => rig.held() === 1);
    const changing =
      how === 'cut'
        ? fs.setattr(nodeId, { size: 1000 }, fh, ctx)
        : fs.write(nodeId, fh, 0, Buffer.from('CONTENT'), ctx);
    rig.letGo('PUT');
    await Promise.all([first, changing]);
    await fs.flush(nodeId, fh, ctx);
    const expected = Buffer.from(how === 'cut' ? CONTENT.subarray(0, 1000) : CONTENT);
    if (how === 'written over') expected.write('CONTENT');
    assert.ok(readFileSync(`${root}/f`).equals(expected));
    await fs.release(nodeId, fh);
  });
}
