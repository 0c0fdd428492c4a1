/** A PUT is carried out and its answer lost. */
import assert from 'node:assert/strict';
import { constants, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { startHeldShare } from './held-share.js';

const ROOT = 1;
const { O_CREAT, O_RDONLY, O_WRONLY } = constants;
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

test('a file whose answer was lost is of the version that storing its mode has made', async (t) => {
  const requests: string[] = [];
  // After a while the open would look at the name.
  const options = { now: () => 0 };
  const note = (req: IncomingMessage): void => void requests.push(req.method!);
  const { fs, root, ...rig } = await startHeldShare(t, options, note);
  const flags = O_CREAT | O_WRONLY;
  const { entry, fh } = await fs.create(ROOT, 'f', 0o755, flags, ctx);
  await fs.write(entry.nodeId, fh, 0, Buffer.from('content'), ctx);
  rig.loseAnswer('PUT');
  await fs.flush(entry.nodeId, fh, ctx);
  await fs.release(entry.nodeId, fh);
  assert.equal(readFileSync(`${root}/f`, 'utf8'), 'content');
  assert.ok(requests.includes('PROPPATCH'), requests.join(' '));

  const before = requests.length;
  const opened = await fs.open(entry.nodeId, O_RDONLY, ctx);
  const [bytes] = await fs.read(entry.nodeId, opened.fh, 0, 100, ctx);
  assert.equal(bytes!.toString(), 'content');
  await fs.release(entry.nodeId, opened.fh);
  assert.deepEqual(requests.slice(before), ['GET']);
});
