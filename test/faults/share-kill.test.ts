/** SIGKILL to a share in the middle of uploads, again and again, while the file is looked at: always the old content or the new. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isUploadName } from '../../src/webdav/hidden-names.js';
import { SeededRandom } from '../support/seeded-random.js';
import { startShareProcess } from '../support/share-process.js';
import { makeTempDir } from '../support/temp-dir.js';
import { identify, versionOf } from './writes.js';

const ROUNDS = 6;

const leftovers = (dir: string): string[] =>
  fs
    .readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => isUploadName(path.basename(name)));

test('kill -9 in the middle of PUT and COPY', { timeout: 120_000 }, async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const dir = makeTempDir('davport-killed-');
  const target = path.join(dir, 'd', 'f');
  fs.mkdirSync(path.dirname(target));
  fs.mkdirSync(path.join(dir, 'tree'));
  for (const name of ['a', 'b']) fs.writeFileSync(path.join(dir, 'tree', name), versionOf(4));
  fs.writeFileSync(target, versionOf(0));
  let current = 0;
  let confirmed = 0;
  let left = 0;
  // Whether a kill finds a request at work is chance.
  for (let round = 1; round <= ROUNDS || (left === 0 && round <= 5 * ROUNDS); round++) {
    const share = await startShareProcess(dir);
    assert.deepEqual(leftovers(dir), [], `after round ${round - 1}`);
    const killed = new AbortController();
    const candidates = new Set([current]);
    const put = (async () => {
      for (let version = round * 100; !killed.signal.aborted; version++) {
        candidates.add(version);
        const answer = await share
          .request('PUT', '/d/f', { body: versionOf(version) })
          .catch(() => undefined);
        if (answer && answer.status < 300) confirmed = version;
      }
    })();
    const copy = (async () => {
      while (!killed.signal.aborted) {
        await share
          .request('COPY', '/tree', { headers: { Destination: '/copy' } })
          .catch(() => undefined);
      }
    })();
    const watch = (async () => {
      while (!killed.signal.aborted) {
        identify(target, [...candidates]);
        await delay(1);
      }
    })();
    await delay(random.between(20, 250));
    share.process.kill('SIGKILL');
    killed.abort();
    await share.process.exited;
    await Promise.all([put, copy, watch]);
    left += leftovers(dir).length;
    current = identify(target, [...candidates]);
    // What was confirmed is there, or what came after it.
    assert.ok(current >= confirmed, `version ${current} after ${confirmed} was confirmed`);
  }
  const share = await startShareProcess(dir);
  assert.deepEqual(leftovers(dir), []);
  assert.ok((await share.request('GET', '/d/f')).body.equals(versionOf(current)));
  t.diagnostic(`leftovers that were swept: ${left}; versions confirmed: ${confirmed}`);
  assert.ok(left > 0, 'no kill came in the middle of anything');
  await share.process.stop();
});
