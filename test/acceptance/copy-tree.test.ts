import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTree } from '../support/tree.js';

scenario(
  'cp -a of 2,000 files in 200 folders, then a new mount, shows no difference',
  { timeoutMs: 400_000 },
  async ({ t, peer, mount, dir }) => {
    const random = new SeededRandom();
    t.diagnostic(`TEST_SEED=${random.seed}`);
    const tree = makeTree(random, 2000, 200);
    await bash('cp -a "$1" "$2/tree"', [tree, dir], { timeoutMs: 300_000 });
    await bash('diff -r -x .DAV "$1" "$2/tree"', [tree, peer.dir]);
    await mount.remount();
    await bash('diff -r "$1" "$2/tree"', [tree, dir], { timeoutMs: 120_000 });
  },
);
