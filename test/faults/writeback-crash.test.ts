/** SIGKILL to davport at random moments while a program writes with -o writeback: what the program was promised is there after the next mount. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isUploadName } from '../../src/webdav/hidden-names.js';
import { mountDavport } from '../support/mount.js';
import { selectedPeers, startPeer } from '../support/peers/index.js';
import { startRelay } from '../support/relay.js';
import { python } from '../support/run.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTempDir } from '../support/temp-dir.js';
import {
  LIST_SHADOW,
  promised,
  SHADOW_WRITER,
  shadowOf,
  type Shadow,
  type Step,
} from './shadow-writer.js';

const ROUNDS = Number(process.env['TEST_ROUNDS'] ?? 6);
/** Enough that uploads are pending when davport is killed. */
const LINE = { roundTripMs: 15, bytesPerSecond: 1_000_000 };

async function seenThrough(dir: string): Promise<Shadow> {
  const { stdout } = await python(LIST_SHADOW, [dir], { timeoutMs: 60_000 });
  return new Map(Object.entries(JSON.parse(stdout) as Record<string, string>));
}

function linesOf(log: string): Step[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Step);
}

const sorted = (shadow: Shadow): [string, string][] => [...shadow].sort();

function assertOneOf(actual: Shadow, allowed: readonly Shadow[], what: string): void {
  const text = JSON.stringify(sorted(actual));
  if (allowed.some((shadow) => JSON.stringify(sorted(shadow)) === text)) return;
  assert.deepEqual(sorted(actual), sorted(allowed[0]!), what);
}

for (const kind of selectedPeers()) {
  test(
    `killed davport, -o writeback: what was promised is there after the next mount [${kind}]`,
    { timeout: 30_000 * ROUNDS },
    async (t) => {
      const random = new SeededRandom();
      t.diagnostic(`TEST_SEED=${random.seed}`);
      const logs = makeTempDir('davport-steps-');
      const peer = await startPeer(kind);
      const relay = await startRelay(peer.channel, LINE);
      const staging = makeTempDir('davport-staging-');
      const options = ['writeback', `staging_dir=${staging}`];
      const mount = await mountDavport({ channel: relay.channel, options });
      try {
        let shadow: Shadow = new Map();
        let pending = 0;
        for (let round = 0; round < ROUNDS; round += 1) {
          const log = join(logs, `${round}`);
          const seed = random.between(1, 1e9);
          const writer = python(SHADOW_WRITER, [mount.dir, log, String(seed), '100000'], {
            timeoutMs: 60_000,
            accept: 'any',
          });
          await delay(random.between(300, 1500));
          // At times the peer is gone before.
          if (random.next() < 0.4) relay.freeze();
          await delay(random.between(0, 200));
          await mount.kill9();
          relay.cut();
          relay.thaw();
          const { code, stdout } = await writer;
          assert.equal(code, 3, `the writer ended by itself: ${stdout}`);
          const allowed = promised(shadow, linesOf(log));
          const atPeer = shadowOf(peer.dir, isUploadName);
          if (!allowed.some((each) => sorted(each).join() === sorted(atPeer).join())) pending += 1;
          await mount.remount();
          const what = `round ${round}, last steps ${JSON.stringify(linesOf(log).slice(-5))}`;
          shadow = await seenThrough(mount.dir);
          assertOneOf(shadow, allowed, `the mount after ${what}`);
          // Twice in a row, at times: what was found in the journal survives the next crash as well.
          if (round % 3 === 2) continue;
          await mount.unmount();
          assertOneOf(shadowOf(peer.dir, isUploadName), [shadow], `the peer after ${what}`);
          await mount.remount();
        }
        t.diagnostic(`${pending} of ${ROUNDS} rounds had something pending`);
        assert.ok(pending > 0, 'nothing was ever pending: the test shows nothing');
        await mount.unmount();
        assertOneOf(shadowOf(peer.dir, isUploadName), [shadow], 'the peer in the end');
      } catch (error) {
        t.diagnostic(`log of the mount:\n${mount.log().slice(-6000)}`);
        throw error;
      } finally {
        await mount.discard();
        await relay.close();
        await peer.stop();
      }
    },
  );
}
