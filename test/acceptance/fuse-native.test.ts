/** The smaller set for the second bridge. What its package cannot do is in its own documentation and not asked here: times. */
import assert from 'node:assert/strict';
import { bash } from '../support/run.js';
import { program } from '../support/programs.js';
import { scenario } from '../support/scenario.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTree } from '../support/tree.js';

const bridge = 'fuse-native';

scenario(
  'fuse-native: a tree copied, and compared after a new mount',
  { timeoutMs: 90_000, bridge },
  async ({ t, peer, mount, dir }) => {
    const random = new SeededRandom();
    t.diagnostic(`TEST_SEED=${random.seed}`);
    const tree = makeTree(random, 200, 20);
    await bash('cp -r "$1" "$2/tree"', [tree, dir]);
    await bash('diff -r -x .DAV "$1" "$2/tree"', [tree, peer.dir]);
    await mount.remount();
    await bash('diff -r "$1" "$2/tree" && rm -r "$2/tree"', [tree, dir]);
    assert.equal((await bash('ls -A "$1"', [dir])).stdout, '');
  },
);

scenario('fuse-native: odd names', { timeoutMs: 60_000, bridge }, async ({ mount, dir }) => {
  await program('names.py', ['make', dir]);
  await mount.remount();
  await program('names.py', ['check', dir]);
  await program('names.py', ['rename', dir]);
  await program('names.py', ['remove', dir]);
});

scenario('fuse-native: saving as editors do', { timeoutMs: 60_000, bridge }, async ({ dir }) => {
  await bash('mkdir "$1/docs"', [dir]);
  // libfuse 2 itself answers so when a file is replaced between its lookup and its open; the kernel asks again after ESTALE only.
  await program('save.py', [`${dir}/docs`, '10', 'No such file or directory']);
});

scenario('fuse-native: sqlite3', { timeoutMs: 60_000, bridge }, async ({ dir }) => {
  const script =
    'CREATE TABLE t (x); ' +
    'INSERT INTO t VALUES (hex(randomblob(2000)));'.repeat(20) +
    'PRAGMA integrity_check; SELECT count(*) FROM t;';
  const { stdout } = await bash('sqlite3 "$1/test.db" "$2"', [dir, script]);
  assert.equal(stdout, 'ok\n20\n');
});
