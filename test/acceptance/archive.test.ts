import assert from 'node:assert/strict';
import { appendFileSync, rmSync } from 'node:fs';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTree } from '../support/tree.js';

scenario('tar x of 500 files', { timeoutMs: 150_000 }, async ({ t, peer, dir }) => {
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const tree = makeTree(random, 500, 40);
  await bash('tar -C "$1/.." -cf - tree | tar -C "$2" -xf -', [tree, dir], { timeoutMs: 120_000 });
  // -d compares modes and times, too: what a program that reads them again on this mount goes by.
  await bash('tar -C "$1/.." -cf - tree | tar -C "$2" -df -', [tree, dir]);
  await bash('diff -r -x .DAV "$1" "$2/tree"', [tree, peer.dir]);
});

scenario(
  'rsync -a --delete: the second run transfers nothing',
  { timeoutMs: 300_000 },
  async ({ t, peer, dir }) => {
    const random = new SeededRandom();
    t.diagnostic(`TEST_SEED=${random.seed}`);
    const tree = makeTree(random, 500, 40);
    const rsync = (): Promise<string> =>
      bash('rsync -a --delete --itemize-changes "$1/" "$2/copy/"', [tree, dir], {
        timeoutMs: 180_000,
      }).then((result) => result.stdout);
    assert.equal((await rsync()).split('\n').filter((line) => line.startsWith('>f+')).length, 500);
    assert.equal(await rsync(), '');
    await bash('diff -r -x .DAV "$1" "$2/copy"', [tree, peer.dir]);

    appendFileSync(`${tree}/folder-1/file-0.bin`, 'more');
    rmSync(`${tree}/folder-2`, { recursive: true });
    const changes = await rsync();
    assert.match(changes, /^>f.*folder-1\/file-0\.bin$/m);
    assert.match(changes, /^\*deleting +folder-2\/$/m);
    assert.equal(await rsync(), '');
    await bash('diff -r -x .DAV "$1" "$2/copy"', [tree, peer.dir]);
  },
);
