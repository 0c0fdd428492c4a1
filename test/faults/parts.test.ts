/** Parts of a large file are written while the wire is cut again and again: each fsync that succeeded is at the peer, and nothing else is there. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { startBackground } from '../support/background.js';
import { mountDavport } from '../support/mount.js';
import { selectedPeers, startPeer } from '../support/peers/index.js';
import { startRelay } from '../support/relay.js';
import { makeTempDir } from '../support/temp-dir.js';

const MiB = 1024 * 1024;
/** Apache doesn't vouch for a version of the last second; up to 32 MiB that isn't waited for, and the whole file is sent. */
const SIZE = 40 * MiB;
const STEPS = { share: 60, apache: 8 } as const;

const WRITER = `
import errno, os, random, sys, time
path, steps, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)
def keep_trying(work):
    while True:
        try: return work()
        except OSError as error:
            if error.errno not in (errno.EIO, errno.ETIMEDOUT, errno.EBUSY): raise
            time.sleep(0.05)
fd = keep_trying(lambda: os.open(path, os.O_RDWR))
size = os.fstat(fd).st_size
writes = []
for step in range(steps):
    for part in range(random.randrange(1, 4)):
        at = random.choice([random.randrange(size), size])
        data = bytes([random.randrange(1, 256)]) * random.choice([1, 700, 9000])
        assert keep_trying(lambda: os.pwrite(fd, data, at)) == len(data)
        size = max(size, at + len(data))
        writes.append((at, data))
    keep_trying(lambda: os.fsync(fd))
    print("step", step, flush=True)
os.close(fd)
content = bytearray(size)
for at, data in writes: content[at:at + len(data)] = data
open(sys.argv[4], "wb").write(content)
print("done", flush=True)
`;

for (const kind of selectedPeers()) {
  if (kind !== 'share' && kind !== 'apache') continue;
  test(
    `parts under a wire that is cut again and again [${kind}]`,
    { timeout: 180_000 },
    async (t) => {
      const served = makeTempDir('davport-served-');
      const file = openSync(`${served}/big`, 'w');
      ftruncateSync(file, SIZE);
      closeSync(file);
      utimesSync(`${served}/big`, 1e9, 1e9);
      const peer = await startPeer(kind, served);
      const relay = await startRelay(peer.channel);
      const mount = await mountDavport({ channel: relay.channel, options: ['timeout=10'] });
      const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
      t.diagnostic(`SEED=${seed}`);
      const model = `${makeTempDir('davport-model-')}/model`;
      const args = ['-c', WRITER, `${mount.dir}/big`, String(STEPS[kind]), String(seed), model];
      try {
        const writer = startBackground('/usr/bin/python3', args);
        let cuts = 0;
        while (writer.running) {
          await sleep(40 + ((cuts * 37) % 200));
          // Now and then in the middle of a request.
          if (cuts % 2 === 0) relay.cut();
          else relay.cutAfter(500 + ((cuts * 911) % 9000));
          cuts += 1;
        }
        assert.match(writer.log(), /done/, writer.log());
        t.diagnostic(`${cuts} cuts`);
        await mount.unmount();
        assert.ok(readFileSync(`${served}/big`).equals(readFileSync(model)));
        assert.deepEqual(
          readdirSync(served).filter((name) => name.includes('conflict')),
          [],
        );
      } catch (error) {
        t.diagnostic(mount.log().slice(-4000));
        await mount.discard();
        throw error;
      } finally {
        await relay.close();
        await peer.stop();
      }
    },
  );
}
