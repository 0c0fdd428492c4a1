import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { assertSameBytes, pattern, withFile, type PosixCases } from './tools.js';

const PARALLEL = 64;
const numbers = Array.from({ length: PARALLEL }, (_, index) => index);

export const PARALLEL_CASES: PosixCases = {
  [`parallel: ${PARALLEL} files written and read`]: async (dir) => {
    await Promise.all(
      numbers.map(async (index) => {
        const path = join(dir, `file-${index}`);
        const content = pattern(200_000 + index, index);
        await writeFile(path, content);
        assertSameBytes(await readFile(path), content);
      }),
    );
  },

  [`parallel: ${PARALLEL} writers in one file`]: async (dir) => {
    const path = join(dir, 'file');
    const piece = 70_001;
    await writeFile(path, '');
    await Promise.all(
      numbers.map((index) =>
        withFile(path, 'r+', async (handle) => {
          await handle.write(pattern(piece, index), 0, piece, index * piece);
        }),
      ),
    );
    assertSameBytes(await readFile(path), Buffer.concat(numbers.map((n) => pattern(piece, n))));
  },

  [`parallel: ${PARALLEL} readers of one file`]: async (dir) => {
    const path = join(dir, 'file');
    const content = pattern(2_000_000);
    await writeFile(path, content);
    await withFile(path, 'r', async (handle) => {
      await Promise.all(
        numbers.map(async (index) => {
          const { buffer } = await handle.read(Buffer.alloc(30_000), 0, 30_000, index * 30_000);
          assertSameBytes(buffer, content.subarray(index * 30_000, (index + 1) * 30_000));
        }),
      );
    });
  },

  'parallel: one of many wins O_EXCL': async (dir) => {
    const path = join(dir, 'lock');
    const results = await Promise.allSettled(
      numbers.map((index) => writeFile(path, String(index), { flag: 'wx' })),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  },

  'parallel: mkdir, rename and stat do not disturb each other': async (dir) => {
    await Promise.all(
      numbers.map(async (index) => {
        await mkdir(join(dir, `from-${index}`));
        await rename(join(dir, `from-${index}`), join(dir, `to-${index}`));
        assert.ok((await stat(join(dir, `to-${index}`))).isDirectory());
      }),
    );
    assert.equal((await readdir(dir)).length, PARALLEL);
  },

  'parallel: a file replaced by rename is never seen half': async (dir) => {
    const path = join(dir, 'file');
    const versions = [pattern(50_000, 1), pattern(60_000, 2)];
    await writeFile(path, versions[0]!);
    const stop = new AbortController();
    const replacing = (async () => {
      for (let turn = 0; !stop.signal.aborted; turn += 1) {
        await writeFile(join(dir, 'next'), versions[turn % 2]!);
        await rename(join(dir, 'next'), path);
      }
    })();
    try {
      for (let round = 0; round < 50; round += 1) {
        const content = await readFile(path);
        assert.ok(
          versions.some((version) => version.equals(content)),
          `round ${round}`,
        );
      }
    } finally {
      stop.abort();
      await replacing;
    }
  },
};
