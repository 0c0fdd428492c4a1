/** SIGKILL to davport, to the peer, or a cut of the wire, at random moments of a write: the target is the old file or the new one. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Mount } from '../support/mount.js';
import { selectedPeers, startPeer, type Peer, type PeerKind } from '../support/peers/index.js';
import { startRelay, type Relay } from '../support/relay.js';
import { bash } from '../support/run.js';
import { mountPeer } from '../support/scenario.js';
import { SeededRandom } from '../support/seeded-random.js';
import { identify, versionOf, watchVersions, writeVersion } from './writes.js';

const ROUNDS = 8;

interface Bench {
  readonly t: TestContext;
  readonly random: SeededRandom;
  readonly peer: Peer;
  readonly relay: Relay;
  readonly mount: Mount;
}

/** Runs `round` with a peer, a mount of it over a relay, and version 0 in `target`. */
function faultTest(
  name: string,
  round: (bench: Bench, number: number, old: number) => Promise<number>,
): void {
  for (const kind of selectedPeers()) {
    test(`${name} [${kind}]`, { timeout: 120_000 }, async (t) => {
      const random = new SeededRandom();
      t.diagnostic(`TEST_SEED=${random.seed}`);
      await withMount(
        kind,
        async (peer, relay, mount) => {
          writeFileSync(`${peer.dir}/target`, versionOf(0));
          await peer.adopt();
          let old = 0;
          for (let number = 1; number <= ROUNDS; number++) {
            old = await round({ t, random, peer, relay, mount }, number, old);
          }
          const { stdout } = await bash('cat "$1/target" | wc -c', [mount.dir]);
          assert.equal(stdout.trim(), String(versionOf(old).length));
          await mount.unmount();
        },
        t,
      );
    });
  }
}

async function withMount(
  kind: PeerKind,
  body: (peer: Peer, relay: Relay, mount: Mount) => Promise<void>,
  t: TestContext,
): Promise<void> {
  const peer = await startPeer(kind);
  const relay = await startRelay(peer.channel);
  const mount = await mountPeer({ ...peer, channel: relay.channel }, { options: ['timeout=15'] });
  try {
    await body(peer, relay, mount);
  } catch (error) {
    t.diagnostic(`log of the mount:\n${mount.log().slice(-6000)}`);
    throw error;
  } finally {
    await mount.discard();
    await relay.close();
    await peer.stop();
  }
}

const removesBeforeMove = (peer: Peer): boolean => peer.kind === 'apache';

const howOf = (random: SeededRandom): 'over' | 'rename' =>
  random.next() < 0.5 ? 'over' : 'rename';

faultTest('kill -9 of davport during a write', async ({ random, peer, mount }, number, old) => {
  const target = `${peer.dir}/target`;
  const writing = writeVersion(number, `${mount.dir}/target`, howOf(random));
  await delay(random.between(0, 250));
  await mount.kill9();
  const written = (await writing).code === 0;
  const now = await watchVersions(target, [old, number], 400, removesBeforeMove(peer));
  // What had been confirmed to the program is there.
  if (written) assert.equal(now, number);
  await mount.remount();
  // What the dead mount had sent may come as late as this: it is known then, and looked at once more.
  for (let last = now; ; last = number) {
    const { code, stdout, stderr } = await bash('cmp "$1/target" "$2"', [mount.dir, target], {
      accept: 'any',
    });
    const then = identify(target, [last, number], removesBeforeMove(peer));
    if (then !== last) continue;
    assert.equal(code, 0, stdout + stderr);
    return then;
  }
});

faultTest('kill -9 of the peer during a write', async ({ random, peer, mount }, number, old) => {
  const target = `${peer.dir}/target`;
  const writing = writeVersion(number, `${mount.dir}/target`, howOf(random), 40_000);
  await delay(random.between(0, 250));
  await peer.kill();
  await watchVersions(target, [old, number], 300, removesBeforeMove(peer));
  await peer.restart();
  const written = (await writing).code === 0;
  const now = identify(target, [old, number], removesBeforeMove(peer) && !written);
  if (written) assert.equal(now, number);
  // Killed between the two halves of the MOVE: the program was told that the rename failed, and does it again.
  else if (!existsSync(target)) await bash('mv "$1/target.part" "$1/target"', [mount.dir]);
  return now;
});

faultTest(
  'a cut of the channel during a write',
  async ({ random, peer, relay, mount }, number, old) => {
    const target = `${peer.dir}/target`;
    relay.cutAfter(random.between(1, versionOf(number).length + 4000));
    const writing = writeVersion(number, `${mount.dir}/target`, howOf(random), 40_000);
    const watching = watchVersions(target, [old, number], 300, removesBeforeMove(peer));
    const { code, stderr } = await writing;
    await watching;
    assert.equal(code, 0, `the write did not survive a cut: ${stderr}`);
    return identify(target, [number]);
  },
);
