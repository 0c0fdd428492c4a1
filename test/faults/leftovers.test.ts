/** What davport leaves at the peer when it is killed in the middle of an upload goes away; what others are uploading stays. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { uploadName } from '../../src/webdav/hidden-names.js';
import { mountDavport } from '../support/mount.js';
import { selectedPeers, startPeer, type Peer } from '../support/peers/index.js';
import { startRelay } from '../support/relay.js';
import { bash } from '../support/run.js';
import { waitUntil } from '../support/wait-until.js';

const SIZE = 8_000_000;

/** Names that no listing of a mount shows. */
const parts = (peer: Peer): string[] =>
  readdirSync(peer.dir).filter((name) => name.startsWith('.davport-'));

/** Some of an upload is there, and no more comes. */
async function startUpload(peer: Peer, name: string) {
  const relay = await startRelay(peer.channel, { roundTripMs: 0, bytesPerSecond: 4_000_000 });
  const mount = await mountDavport({ channel: relay.channel });
  const before = parts(peer).length;
  const writing = bash(`cp "$2" "$1/${name}"`, [mount.dir, `${peer.dir}/../source`], {
    accept: 'any',
  });
  await waitUntil('the beginning of an upload', () => parts(peer).length > before);
  relay.freeze();
  return { relay, mount, writing };
}

for (const kind of selectedPeers()) {
  if (kind !== 'chezdav') continue;
  test(
    'kill -9 in the middle of uploads: the next mount clears up, but not what is alive',
    { timeout: 90_000 },
    async (t) => {
      const peer = await startPeer(kind);
      const source = `${peer.dir}/../source`;
      writeFileSync(source, randomBytes(SIZE));
      const dead = await startUpload(peer, 'dead');
      const left = parts(peer);
      await dead.mount.kill9();
      await dead.relay.close();
      await dead.writing;
      const alive = await startUpload(peer, 'alive');
      const its = parts(peer).filter((name) => !left.includes(name));
      // Of clients that don't say who they are: another one's, maybe on its way.
      const foreign = uploadName(randomBytes(8));
      writeFileSync(`${peer.dir}/${foreign}`, 'foreign');
      utimesSync(`${peer.dir}/${foreign}`, 1e9, 1e9);
      assert.equal(its.length, 1);
      const next = await mountDavport({ channel: peer.channel });
      try {
        const { stdout } = await bash('ls -A "$1"', [next.dir]);
        assert.equal(stdout, '');
        await waitUntil(
          'the end of leftovers',
          () => !left.some((name) => parts(peer).includes(name)),
        );
        // It is the present listing that has seen them all.
        assert.deepEqual(parts(peer).sort(), [...its, foreign].sort());
        alive.relay.thaw();
        assert.equal((await alive.writing).code, 0);
        assert.equal(statSync(`${peer.dir}/alive`).size, SIZE);
        assert.ok(readFileSync(`${peer.dir}/alive`).equals(readFileSync(source)));
        await alive.mount.unmount();
        await next.unmount();
      } catch (error) {
        t.diagnostic(`${alive.mount.log()}\n${next.log()}`);
        throw error;
      } finally {
        await alive.mount.discard();
        await dead.mount.discard();
        await next.discard();
        await peer.stop();
      }
    },
  );
}
