/** A peer that is there and says nothing: every operation ends by its deadline, and umount works. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { davport } from '../support/davport.js';
import { mountDavport } from '../support/mount.js';
import { mountsAt } from '../support/mountinfo.js';
import { selectedPeers, startPeer } from '../support/peers/index.js';
import { startRelay } from '../support/relay.js';
import { bash, python } from '../support/run.js';

const TRY = `
import errno, os, sys, time
folder = sys.argv[1]
def attempt(name, work):
    start = time.monotonic()
    try:
        work()
        how = 'ok'
    except OSError as error:
        how = errno.errorcode[error.errno]
    print(name, how, round(time.monotonic() - start, 1), flush=True)
attempt('stat', lambda: os.stat(folder + '/unknown-1'))
attempt('list', lambda: os.listdir(folder + '/folder'))
attempt('read', lambda: open(folder + '/file', 'rb').read())
attempt('write', lambda: open(folder + '/new', 'wb').write(b'x'))
attempt('mkdir', lambda: os.mkdir(folder + '/made'))
attempt('rename', lambda: os.rename(folder + '/file', folder + '/moved'))
`;

for (const kind of selectedPeers()) {
  test(`a silent peer: operations end by timeout=1 [${kind}]`, { timeout: 90_000 }, async (t) => {
    const peer = await startPeer(kind);
    const relay = await startRelay(peer.channel);
    writeFileSync(`${peer.dir}/file`, 'x'.repeat(100_000));
    await bash('mkdir "$1/folder"', [peer.dir]);
    await peer.adopt();
    // Nothing is known any more: each operation has to ask.
    const options = ['timeout=1', 'attr_timeout=0'];
    const mount = await mountDavport({ channel: relay.channel, options });
    try {
      await bash(
        'for i in $(seq 50); do ls -R "$1" > /dev/null && exit 0; sleep 0.1; done; exit 1',
        [mount.dir],
      );
      relay.freeze();
      const { stdout } = await python(TRY, [mount.dir], { timeoutMs: 60_000 });
      t.diagnostic(stdout.trim().replaceAll('\n', '; '));
      for (const line of stdout.trim().split('\n')) {
        const [operation, how, seconds] = line.split(' ');
        assert.match(how!, /^(ok|EIO|ETIMEDOUT)$/, line);
        assert.ok(Number(seconds) < 5, `${operation}: ${seconds} s`);
      }
      assert.match(stdout, /^stat (EIO|ETIMEDOUT)/m);
      relay.thaw();
      await bash(
        'for i in $(seq 50); do cat "$1/file" > /dev/null && exit 0; sleep 0.1; done; exit 1',
        [mount.dir],
      );

      relay.freeze();
      const started = performance.now();
      const result = await davport(['umount', mount.dir], { timeoutMs: 30_000 });
      assert.deepEqual(mountsAt(mount.dir), []);
      t.diagnostic(
        `umount: exit ${result.code} after ${Math.round(performance.now() - started)} ms`,
      );
    } catch (error) {
      t.diagnostic(`log of the mount:\n${mount.log().slice(-6000)}`);
      throw error;
    } finally {
      await mount.discard();
      await relay.close();
      await peer.stop();
    }
  });
}
