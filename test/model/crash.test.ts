/**
 * Steps while davport, its peer or the channel is killed at random moments (program/crash.py): what close, fsync and rename have promised
 * is there after each, and every file is a version that was once written whole.
 *
 * TEST_SEED=… chooses other steps (the moments are never the same), CRASH_ROUNDS=… how many, TEST_PEERS=… where:
 *   CRASH_ROUNDS=1000 TEST_PEERS=share node scripts/run-tests.mjs test/model/crash.test.ts
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isUploadName } from '../../src/webdav/hidden-names.js';
import { selectedPeers, type PeerKind } from '../support/peers/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';
import { runProgram } from './program.js';
import { withSides, type Sides } from './sides.js';

type Victim = 'davport' | 'peer' | 'channel';

interface Mode {
  readonly options: readonly string[];
  /** Who keeps a promise that a close has made. */
  readonly promise: 'peer' | 'journal';
  readonly peers: readonly PeerKind[];
}

const PEERS: readonly PeerKind[] = ['share', 'apache'];
const MODES: readonly Mode[] = [
  { options: [], promise: 'peer', peers: PEERS },
  { options: ['writeback'], promise: 'journal', peers: PEERS },
];
const VICTIMS: readonly Victim[] = ['davport', 'peer', 'channel'];
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 4);
const LATEST_KILL_MS = 400;
const DOWN_MS = 100;

function answersFor(victim: Victim, { peer, relay, mount }: Sides, random: SeededRandom) {
  let killing: Promise<void> = Promise.resolve();
  const kill = async (): Promise<void> => {
    await delay(random.between(0, LATEST_KILL_MS));
    if (victim === 'davport') await mount.kill9();
    else if (victim === 'channel') relay.cut();
    else {
      await peer.kill();
      await delay(DOWN_MS);
      await peer.restart();
    }
  };
  return {
    kill: async () => {
      killing = kill();
    },
    killed: () => killing,
    mend: async () => {
      if (victim === 'davport') await mount.remount();
    },
  };
}

const leftoversIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    isUploadName(path.split('/').at(-1)!),
  );

for (const mode of MODES) {
  for (const kind of selectedPeers().filter((each) => mode.peers.includes(each))) {
    for (const victim of VICTIMS) {
      const label = [kind, ...mode.options].join(', ');
      test(`kill -9 of the ${victim}, and what was promised [${label}]`, async (t) => {
        const random = new SeededRandom();
        t.diagnostic(`TEST_SEED=${random.seed}`);
        await withSides(t, kind, { options: mode.options }, async (sides) => {
          const { mount, peer } = sides;
          const args = [mount.dir, peer.dir, kind, victim, String(random.seed), String(ROUNDS)];
          const answers = answersFor(victim, sides, random);
          const printed = await runProgram(
            'crash.py',
            [...args, mode.promise],
            answers,
            () => undefined,
          );
          t.diagnostic(printed);
          await waitUntil('leftovers are gone', () => leftoversIn(peer.dir).length === 0);
          assert.match(printed, /rounds/);
        });
      });
    }
  }
}
