/** What only the real channel shows: bytes of a former session in front of the first answer, and a viewer that shares read-only. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { mountDavport } from '../../support/mount.js';
import { startSpice } from '../../support/peers/spice.js';
import { bash } from '../../support/run.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { makeTempDir } from '../../support/temp-dir.js';

test(
  'a mount after a killed one reads past what the port still has for the dead',
  { timeout: 90_000 },
  async (t) => {
    const random = new SeededRandom();
    t.diagnostic(`TEST_SEED=${random.seed}`);
    const served = makeTempDir();
    writeFileSync(`${served}/large`, random.bytes(48 << 20));
    writeFileSync(`${served}/small`, 'small');
    const peer = await startSpice(served);
    const mount = await mountDavport({ channel: peer.channel, options: ['timeout=20'] });
    try {
      for (let round = 0; round < 4; round++) {
        const reading = bash('cat "$1/large" > /dev/null', [mount.dir], { accept: 'any' });
        await delay(random.between(20, 150));
        await mount.kill9();
        await reading;
        await mount.remount();
        assert.equal((await bash('cat "$1/small"', [mount.dir])).stdout, 'small');
        await bash('cmp "$1/large" "$2/large"', [mount.dir, served]);
      }
      await mount.unmount();
    } catch (error) {
      t.diagnostic(mount.log().slice(-6000));
      throw error;
    } finally {
      await mount.discard();
      await peer.stop();
    }
  },
);

test(
  'a viewer that shares read-only: writing fails with EROFS, reading works',
  { timeout: 30_000 },
  async () => {
    const served = makeTempDir();
    writeFileSync(`${served}/file`, 'readable');
    const peer = await startSpice(served, true);
    const mount = await mountDavport({ channel: peer.channel });
    try {
      assert.equal((await bash('cat "$1/file"', [mount.dir])).stdout, 'readable');
      for (const command of [
        'echo x > "$1/new"',
        'mkdir "$1/made"',
        'rm "$1/file"',
        'mv "$1/file" "$1/moved"',
      ]) {
        const { code, stderr } = await bash(command, [mount.dir], { accept: 'any' });
        assert.notEqual(code, 0, command);
        assert.match(stderr, /Read-only file system/, command);
      }
      await mount.unmount();
    } finally {
      await mount.discard();
      await peer.stop();
    }
  },
);

test(
  'the clipboard folder that a viewer adds to its share is not shown',
  { timeout: 30_000 },
  async () => {
    const peer = await startSpice(makeTempDir());
    const mount = await mountDavport({ channel: peer.channel });
    try {
      assert.equal((await bash('ls -A "$1"', [mount.dir])).stdout, '');
      await mount.unmount();
    } finally {
      await mount.discard();
      await peer.stop();
    }
  },
);
