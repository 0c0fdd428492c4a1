/**
 * Random steps on a mount and in a local folder, compared after each (program/run.py). What fails is cut down and printed with its seed.
 *
 * TEST_SEED=… repeats it, MODEL_STEPS=… does another number of steps, MODEL_BRIDGE=fuse-native and TEST_PEERS=… choose where:
 *   MODEL_STEPS=1000000 TEST_PEERS=share MODEL_BRIDGE=kernel node scripts/run-tests.mjs test/model/model.test.ts
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { selectedPeers, type PeerKind } from '../support/peers/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import type { Relay } from '../support/relay.js';
import { connectionsTo } from '../support/tcp-connections.js';
import { waitUntil } from '../support/wait-until.js';
import { runProgram } from './program.js';
import { withSides } from './sides.js';

type Bridge = 'kernel' | 'fuse-native';

/** As many as take some twenty seconds. */
const STEPS: readonly (readonly [PeerKind, Bridge, number])[] = [
  ['share', 'kernel', 4000],
  ['spice', 'kernel', 600],
  ['chezdav', 'kernel', 1200],
  ['apache', 'kernel', 1200],
  ['share', 'fuse-native', 1200],
];

const FOUND = fileURLToPath(new URL('found/', import.meta.url));
const FEWEST_KINDS = 60;
const NOTICE_MS = 100;
const given = process.env['MODEL_STEPS'];
const onlyBridge = process.env['MODEL_BRIDGE'];

/** A request that is sent before davport has noticed that the wire is cut may fail; the steps here are none of that sort. */
async function untilNoticed(relay: Relay, breakWire: () => Promise<void>): Promise<void> {
  const isSocket = relay.channel.startsWith('unix:');
  const open = (): ReadonlySet<string> => connectionsTo(Number(new URL(relay.channel).port));
  const former = isSocket ? new Set<string>() : open();
  await breakWire();
  await delay(NOTICE_MS);
  if (isSocket) {
    await waitUntil('a new session', () => relay.connections > 0);
    await delay(NOTICE_MS);
  } else {
    await waitUntil(
      'the end of all connections',
      () => ![...open()].some((end) => former.has(end)),
    );
  }
}

/** CI does the same each time: what a change breaks is then seen with that change. By hand every run is another one. */
function seedOfRun(): number {
  const repeated = process.env['CI'] !== undefined && process.env['TEST_SEED'] === undefined;
  return repeated ? 1 : new SeededRandom().seed;
}

for (const kind of selectedPeers().filter((each) => each === 'share' || each === 'apache')) {
  test(`what such steps have found is mended [${kind}]`, async (t) => {
    const found = readdirSync(FOUND).map((name) => FOUND + name);
    await withSides(t, kind, {}, async ({ peer, mount, local }) => {
      const args = [mount.dir, local, peer.dir, kind, 'kernel', '0', '0', ...found];
      await runProgram('run.py', args, {}, () => undefined);
    });
  });
}

for (const [kind, bridge, usual] of STEPS) {
  if (!selectedPeers().includes(kind)) continue;
  if (onlyBridge !== undefined && onlyBridge !== bridge) continue;
  test(`random steps, as in a local folder [${kind}, ${bridge}]`, async (t) => {
    const seed = seedOfRun();
    const steps = Number(given ?? usual);
    t.diagnostic(`TEST_SEED=${seed}`);
    await withSides(t, kind, { bridge }, async ({ peer, relay, mount, local }) => {
      const answers = {
        remount: () => mount.remount(),
        cut: () => untilNoticed(relay, async () => relay.cut()),
        restart: () =>
          untilNoticed(relay, async () => {
            await peer.stop();
            await peer.restart();
          }),
      };
      const args = [mount.dir, local, peer.dir, kind, bridge, String(seed), String(steps)];
      const printed = await runProgram('run.py', args, answers, (line) => t.diagnostic(line));
      const counts = JSON.parse(printed.split('\n').at(-1)!) as { kinds: Record<string, number> };
      const done = Object.values(counts.kinds).filter((count) => count > 0).length;
      assert.ok(done >= FEWEST_KINDS, `only ${done} kinds of step meant anything`);
    });
  });
}
