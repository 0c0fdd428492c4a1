import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountDavport } from '../support/mount.js';
import { selectedPeers, startPeer } from '../support/peers/index.js';
import { bash } from '../support/run.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTree } from '../support/tree.js';

test(
  'mounts of all peers side by side, copied from one to the next at once',
  { timeout: 120_000 },
  async (t) => {
    const random = new SeededRandom();
    t.diagnostic(`TEST_SEED=${random.seed}`);
    const tree = makeTree(random, 100, 10);
    const sides = await Promise.all(
      selectedPeers().map(async (kind) => {
        const peer = await startPeer(kind);
        return { peer, mount: await mountDavport({ channel: peer.channel }) };
      }),
    );
    try {
      await bash('cp -r "$1" "$2/first"', [tree, sides[0]!.mount.dir]);
      await Promise.all(
        sides.map(({ mount }) =>
          bash('cp -r "$1/first" "$2/second"', [sides[0]!.mount.dir, mount.dir]),
        ),
      );
      for (const { peer, mount } of sides) {
        await bash('diff -r "$1" "$2/second" && diff -r -x .DAV "$1" "$3/second"', [
          tree,
          mount.dir,
          peer.dir,
        ]);
      }
      // The end of one leaves the others alone.
      for (const [index, { mount }] of sides.entries()) {
        await mount.unmount();
        for (const other of sides.slice(index + 1)) {
          const { stdout } = await bash('ls "$1/second" | wc -l', [other.mount.dir]);
          assert.ok(Number(stdout) > 0);
        }
      }
    } finally {
      await Promise.all(sides.map(({ mount }) => mount.discard()));
      await Promise.all(sides.map(({ peer }) => peer.stop()));
    }
  },
);
