import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { StagingFile, StagingSnapshot, UploadResult } from '../../../../src/vfs/content.js';
import { createStaging } from '../../../../src/vfs/staging.js';
import { UploadStream } from '../../../../src/vfs/upload/upload-stream.js';
import { fileResource } from '../resources.js';
import { MiB, never, pattern, temporaryFolder, until } from './helpers.js';

const PLACE = { path: '/f', expect: 'absent', posix: undefined } as const;

interface Rig {
  readonly staging: StagingFile;
  readonly stream: UploadStream;
  readonly write: (offset: number, length: number) => Promise<void>;
  /** What became of the body: how many bytes, and did it end as one that is whole? */
  readonly body: { bytes: number; ended: boolean; failed: boolean };
}

function start(t: TestContext): Rig {
  const staging = createStaging({ cacheDir: temporaryFolder(t) });
  t.after(() => staging.close());
  const body = { bytes: 0, ended: false, failed: false };
  async function send(content: StagingSnapshot): Promise<UploadResult> {
    try {
      for await (const piece of content.open()) {
        assert.ok(Buffer.from(piece).equals(pattern(1)(body.bytes, piece.length)));
        body.bytes += piece.length;
      }
      body.ended = true;
    } catch (error) {
      body.failed = true;
      throw error;
    }
    return { resource: fileResource('f', body.bytes), durable: false };
  }
  const stream = new UploadStream(staging, () => ({ place: PLACE, send }));
  async function write(offset: number, length: number): Promise<void> {
    const follows = stream.writes(offset, length);
    await staging.write(offset, pattern(1)(offset, length));
    if (follows) stream.wrote();
  }
  return { staging, stream, write, body };
}

/** Promises that are due have run. (Timers may be mocked.) */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the body ends with the content, and not before', async (t) => {
  const { stream, write, body } = start(t);
  for (let at = 0; at < 3 * MiB; at += 100_000) await write(at, 100_000);
  await until(() => body.bytes > MiB);
  assert.equal(body.ended, false);
  const end = Math.ceil((3 * MiB) / 100_000) * 100_000;
  const result = await stream.finish(end, PLACE, never);
  assert.equal(result?.resource.size, end);
  assert.deepEqual(body, { bytes: end, ended: true, failed: false });
});

test('what is given up never looks like a body that is whole', async (t) => {
  const ways: Record<string, (rig: Rig) => unknown> = {
    'written before': ({ write }) => write(0, 10),
    'written behind a gap': ({ write }) => write(5 * MiB, 10),
    'given up': ({ stream }) => stream.abandon(),
    'ended with another size': ({ stream }) => stream.finish(2 * MiB - 1, PLACE, never),
    'ended under another name': ({ stream }) =>
      stream.finish(2 * MiB, { ...PLACE, path: '/g' }, never),
    'ended while bytes are written': ({ stream }) => {
      stream.writes(2 * MiB, 1);
      return stream.finish(2 * MiB + 1, PLACE, never);
    },
  };
  for (const [how, way] of Object.entries(ways)) {
    const rig = start(t);
    await rig.write(0, 2 * MiB);
    await way(rig);
    await until(() => rig.body.failed || rig.body.ended);
    assert.equal(rig.body.ended, false, how);
    assert.equal(await rig.stream.finish(2 * MiB, PLACE, never), undefined, how);
  }
});

test('a program that pauses keeps no request waiting', { timeout: 30_000 }, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { stream, write, body } = start(t);
  await write(0, 2 * MiB);
  t.mock.timers.tick(4000);
  await write(2 * MiB, MiB);
  t.mock.timers.tick(4000);
  await settled();
  assert.equal(body.failed, false);
  t.mock.timers.tick(1000);
  const failed = (): boolean => body.failed;
  while (!failed()) await settled();
  assert.equal(body.ended, false);
  assert.equal(await stream.finish(3 * MiB, PLACE, never), undefined);
});

test('what is written behind the end while it is sent belongs to the next upload', async (t) => {
  const { stream, write, body } = start(t);
  await write(0, 2 * MiB);
  const finished = stream.finish(2 * MiB, PLACE, never);
  await write(2 * MiB, MiB);
  assert.equal((await finished)?.resource.size, 2 * MiB);
  assert.equal(body.bytes, 2 * MiB);
});
