import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { StagingFile, StagingSnapshot } from '../../../../src/vfs/content.js';
import { createStaging } from '../../../../src/vfs/staging.js';
import { KiB, MiB, pattern, seededRandom, temporaryFolder } from './helpers.js';

async function contentOf(snapshot: StagingSnapshot): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of snapshot.open()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

async function bytesOf(staging: StagingFile): Promise<Buffer> {
  return Buffer.concat(await staging.read(0, staging.size + 100));
}

test('writes and truncations are what a plain buffer would hold', async (t) => {
  const random = seededRandom(t);
  const cacheDir = temporaryFolder(t);
  for (let round = 0; round < 30; round += 1) {
    const limit = round % 2 === 0 ? 64 * KiB : 2 * MiB;
    const staging = createStaging({ cacheDir });
    let model = Buffer.alloc(0);
    for (let step = 0; step < 25; step += 1) {
      if (random(5) === 0) {
        const size = random(3) === 0 ? 0 : random(limit);
        await staging.truncate(size);
        model = Buffer.concat([
          model.subarray(0, size),
          Buffer.alloc(Math.max(0, size - model.length)),
        ]);
      } else {
        const offset = random(limit);
        const data = pattern(step + 1)(random(1000), random(limit / 4));
        await staging.write(offset, data);
        if (data.length > 0) {
          const grown = Buffer.alloc(Math.max(model.length, offset + data.length));
          model.copy(grown);
          data.copy(grown, offset);
          model = grown;
        }
      }
      assert.equal(staging.size, model.length);
      assert.ok((await bytesOf(staging)).equals(model));
      const from = random(limit);
      const part = Buffer.concat(await staging.read(from, 5000));
      assert.ok(part.equals(model.subarray(from, from + 5000)));
    }
    const snapshot = staging.snapshot();
    assert.ok((await contentOf(snapshot)).equals(model));
    snapshot.release();
    await staging.close();
  }
  assert.deepEqual(readdirSync(cacheDir), []);
});

test('parallel writes all arrive', async (t) => {
  const staging = createStaging({ cacheDir: temporaryFolder(t) });
  const size = 4 * MiB;
  const steps = Array.from({ length: size / (100 * KiB) }, (_, index) => index * 100 * KiB);
  await Promise.all(
    steps.map(async (offset) => staging.write(offset, pattern(9)(offset, 100 * KiB))),
  );
  const end = steps.length * 100 * KiB;
  assert.ok((await bytesOf(staging)).equals(pattern(9)(0, end)));
  await staging.close();
});

for (const size of [50 * KiB, 2 * MiB]) {
  test(`a snapshot of ${size} bytes is of one moment`, async (t) => {
    const staging = createStaging({ cacheDir: temporaryFolder(t) });
    const writing = staging.write(0, pattern(1)(0, size));
    await writing;
    const snapshot = staging.snapshot();
    assert.equal(snapshot.generation, staging.generation);
    const later = [
      staging.write(10, pattern(2)(0, 1000)),
      staging.write(size, pattern(2)(0, 1000)),
      staging.truncate(size - 5),
    ];
    assert.ok((await contentOf(snapshot)).equals(pattern(1)(0, size)));
    assert.ok((await contentOf(snapshot)).equals(pattern(1)(0, size)), 'opened again for a retry');
    snapshot.release();
    for (const done of later) await done;
    assert.equal(staging.size, size - 5);
    assert.ok(staging.generation > snapshot.generation);
    const expected = pattern(1)(0, size - 5);
    pattern(2)(0, 1000).copy(expected, 10);
    assert.ok((await bytesOf(staging)).equals(expected));
    await staging.close();
  });

  test(`truncation to nothing doesn't wait for a snapshot of ${size} bytes`, async (t) => {
    const staging = createStaging({ cacheDir: temporaryFolder(t) });
    await staging.write(0, pattern(1)(0, size));
    const snapshot = staging.snapshot();
    await staging.truncate(0);
    await staging.write(0, Buffer.from('new'));
    assert.ok((await contentOf(snapshot)).equals(pattern(1)(0, size)));
    assert.equal((await bytesOf(staging)).toString(), 'new');
    snapshot.release();
    await staging.close();
  });

  test(`a snapshot of ${size} bytes outlives the staging file`, async (t) => {
    const staging = createStaging({ cacheDir: temporaryFolder(t) });
    await staging.write(0, pattern(1)(0, size));
    const snapshot = staging.snapshot();
    await staging.close();
    assert.ok((await contentOf(snapshot)).equals(pattern(1)(0, size)));
    snapshot.release();
    await assert.rejects(async () => staging.write(0, Buffer.alloc(1)), { errno: 'EBADF' });
  });
}

test('a snapshot taken while writes are on their way holds them whole', async (t) => {
  const staging = createStaging({ cacheDir: temporaryFolder(t) });
  await staging.write(0, Buffer.alloc(MiB, 1));
  const writes = [staging.write(0, Buffer.alloc(MiB, 2)), staging.write(MiB, Buffer.alloc(MiB, 3))];
  const snapshot = staging.snapshot();
  const content = await contentOf(snapshot);
  assert.equal(content.length, 2 * MiB);
  assert.ok(content.subarray(0, MiB).equals(Buffer.alloc(MiB, 2)));
  assert.ok(content.subarray(MiB).equals(Buffer.alloc(MiB, 3)));
  snapshot.release();
  for (const done of writes) await done;
  await staging.close();
});

test('offsets beyond 4 GiB are sparse', async (t) => {
  const staging = createStaging({ cacheDir: temporaryFolder(t) });
  const far = 5 * 1024 * MiB;
  await staging.write(far, Buffer.from('end'));
  assert.equal(staging.size, far + 3);
  assert.equal(Buffer.concat(await staging.read(far - 2, 10)).toString(), '\0\0end');
  await staging.truncate(far + 1024 * MiB);
  assert.equal(staging.size, far + 1024 * MiB);
  await assert.rejects(async () => staging.write(Number.MAX_SAFE_INTEGER, Buffer.alloc(1)), {
    errno: 'EFBIG',
  });
  await staging.close();
});

test('bytes that were read stay as they were read', async (t) => {
  const staging = createStaging({ cacheDir: temporaryFolder(t) });
  await staging.write(0, Buffer.from('old'));
  const [piece] = await staging.read(0, 3);
  await staging.write(0, Buffer.from('new'));
  assert.equal(Buffer.from(piece!).toString(), 'old');
  await staging.close();
});

test('snapshots are of their moments while writes go on', async (t) => {
  const random = seededRandom(t);
  const staging = createStaging({ cacheDir: temporaryFolder(t) });
  const size = 3 * MiB;
  await staging.write(0, pattern(0)(0, size));
  const model = Buffer.from(pattern(0)(0, size));
  const checks: Promise<void>[] = [];
  for (let step = 1; step <= 150; step += 1) {
    if (step % 10 === 0) {
      const expected = Buffer.from(model.subarray(0, staging.size));
      const snapshot = staging.snapshot();
      checks.push(
        contentOf(snapshot).then((content) => {
          assert.ok(content.equals(expected), `snapshot at step ${step}`);
          snapshot.release();
        }),
      );
    }
    const offset = random(size);
    const data = pattern(step)(0, Math.min(1 + random(200 * KiB), size - offset));
    data.copy(model, offset);
    // Not awaited: snapshots meet writes on their way. Writes to the same bytes must stay in order, as the kernel keeps them.
    const written = staging.write(offset, data);
    if (step % 3 === 0 || written instanceof Promise) await written;
  }
  await Promise.all(checks);
  assert.ok((await bytesOf(staging)).equals(model));
  await staging.close();
});

test('a write goes on while an upload reads the snapshot', async (t) => {
  const staging = createStaging({ cacheDir: temporaryFolder(t) });
  await staging.write(0, pattern(1)(0, MiB));
  const snapshot = staging.snapshot();
  await staging.write(100, Buffer.from('changed'));
  await staging.write(2 * MiB, Buffer.from('grown'));
  await staging.truncate(4 * MiB);
  assert.ok((await contentOf(snapshot)).equals(pattern(1)(0, MiB)));
  const writing = staging.write(0, Buffer.alloc(200 * KiB, 7));
  snapshot.release();
  await writing;
  assert.equal(staging.size, 4 * MiB);
  await staging.close();
});
