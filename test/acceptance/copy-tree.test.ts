import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTree } from '../support/tree.js';

/** Files, and folders that they are in; the slowest peer takes a minute for the smaller one. */
const LARGE = { files: 2000, folders: 200 };
const SMALLER = { files: 500, folders: 50 };

scenario(
  'cp -a of a tree, then a new mount, shows no difference',
  { timeoutMs: 400_000 },
  async ({ t, peer, mount, dir }) => {
    const random = new SeededRandom();
    t.diagnostic(`TEST_SEED=${random.seed}`);
    const { files, folders } = peer.kind === 'spice' ? SMALLER : LARGE;
    const tree = makeTree(random, files, folders);
    await bash('cp -a "$1" "$2/tree"', [tree, dir], { timeoutMs: 300_000 });
    await bash('diff -r -x .DAV "$1" "$2/tree"', [tree, peer.dir]);
    await mount.remount();
    await bash('diff -r "$1" "$2/tree"', [tree, dir], { timeoutMs: 120_000 });
  },
);
