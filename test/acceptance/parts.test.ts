/** What a change of a part of a file costs in requests and bytes, counted at the wire, and that it is stored as it was made. */
import assert from 'node:assert/strict';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { mountDavport } from '../support/mount.js';
import { selectedPeers, startPeer, type Peer, type PeerKind } from '../support/peers/index.js';
import { startRelay } from '../support/relay.js';
import { python } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

const MiB = 1024 * 1024;
const KiB = 1024;

interface Cost {
  readonly requests: readonly string[];
  readonly bytes: number;
}

interface Scene {
  readonly dir: string;
  readonly served: string;
  /** What a program costs until all of it is at the peer. */
  readonly cost: (script: string) => Promise<Cost>;
}

/** A request is in the log some time after its answer: all are when no more come. */
async function logged(peer: Peer): Promise<readonly string[]> {
  let requests: readonly string[] = [];
  let last = -1;
  const isOver = async (): Promise<boolean> => {
    const before = last;
    requests = (await peer.requests())!;
    last = requests.length;
    return last === before;
  };
  await waitUntil('the end of the log', isOver, 10_000, 100);
  return requests;
}

function parts(
  name: string,
  peers: readonly PeerKind[],
  prepare: (served: string) => void,
  body: (scene: Scene) => Promise<void>,
): void {
  for (const kind of selectedPeers().filter((selected) => peers.includes(selected))) {
    test(`${name} [${kind}]`, { timeout: 120_000 }, async (t) => {
      const served = makeTempDir('davport-served-');
      prepare(served);
      const peer = await startPeer(kind, served);
      const relay = await startRelay(peer.channel);
      const mount = await mountDavport({ channel: relay.channel });
      const cost = async (script: string): Promise<Cost> => {
        const before = { requests: (await logged(peer)).length, bytes: relay.bytes };
        await python(script, [mount.dir]);
        const requests = (await logged(peer)).slice(before.requests);
        const bytes = relay.bytes - before.bytes;
        t.diagnostic(
          `${requests.length} requests, ${bytes} bytes: ${requests.slice(0, 12).join(', ')}`,
        );
        return { requests, bytes };
      };
      try {
        await python('import os, sys; os.listdir(sys.argv[1])', [mount.dir]);
        await body({ dir: mount.dir, served, cost });
        await mount.unmount();
      } catch (error) {
        t.diagnostic(mount.log().slice(-4000));
        await mount.discard();
        throw error;
      } finally {
        await relay.close();
        await peer.stop();
      }
    });
  }
}

/** Older than the second for which Apache doesn't vouch for a version. */
function sparse(path: string, size: number): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  closeSync(fd);
  utimesSync(path, 1e9, 1e9);
}

function bytesAt(path: string, offset: number, length: number): Buffer {
  const fd = openSync(path, 'r');
  const bytes = Buffer.alloc(length);
  const count = readSync(fd, bytes, 0, length, offset);
  closeSync(fd);
  return bytes.subarray(0, count);
}

const PREAMBLE = 'import mmap, os, sys\nbig = sys.argv[1] + "/big"\n';

parts(
  'append of 1 KiB to a file of 1 GiB',
  ['share'],
  (served) => sparse(`${served}/big`, 1024 * MiB),
  async ({ served, cost }) => {
    const { ino } = statSync(`${served}/big`);
    const { requests, bytes } = await cost(`${PREAMBLE}open(big, "ab").write(b"x" * 1024)`);
    assert.ok(bytes <= 8 * KiB, `${bytes} bytes`);
    assert.ok(requests.length <= 2, requests.join());
    assert.equal(statSync(`${served}/big`).size, 1024 * MiB + 1024);
    assert.deepEqual(bytesAt(`${served}/big`, 1024 * MiB, 2000), Buffer.alloc(1024, 'x'));
    assert.equal(statSync(`${served}/big`).ino, ino);
  },
);

parts(
  'a patch of 4 KiB in a file of 256 MiB',
  ['share', 'apache'],
  (served) => sparse(`${served}/big`, 256 * MiB),
  async ({ served, cost }) => {
    const { bytes } = await cost(
      `${PREAMBLE}f = open(big, "r+b"); f.seek(100 << 20); f.write(b"p" * 4096); f.flush(); os.fsync(f.fileno()); f.close()`,
    );
    assert.ok(bytes <= 100_000, `${bytes} bytes`);
    assert.equal(statSync(`${served}/big`).size, 256 * MiB);
    const expected = Buffer.concat([Buffer.alloc(10), Buffer.alloc(4096, 'p'), Buffer.alloc(10)]);
    assert.deepEqual(bytesAt(`${served}/big`, 100 * MiB - 10, 4116), expected);
  },
);

parts(
  'truncation of a large file moves no content',
  ['share'],
  (served) => sparse(`${served}/big`, 512 * MiB),
  async ({ served, cost }) => {
    for (const size of [300 * MiB + 1, 700 * MiB]) {
      const { bytes } = await cost(`${PREAMBLE}os.truncate(big, ${size})`);
      assert.ok(bytes <= 8 * KiB, `${bytes} bytes`);
      assert.equal(statSync(`${served}/big`).size, size);
    }
  },
);

parts(
  'a thousand lines to a log, each by an open and a close of its own',
  ['share'],
  (served) => writeFileSync(`${served}/log`, 'first\n'),
  async ({ served, cost }) => {
    const { requests } = await cost(`
import sys
for i in range(1000):
    with open(sys.argv[1] + "/log", "ab") as log: log.write(b"line %d\\n" % i)
`);
    assert.ok(requests.length <= 2000, `${requests.length} requests`);
    const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}\n`);
    assert.equal(readFileSync(`${served}/log`, 'utf8'), `first\n${lines.join('')}`);
  },
);

/** Writes all over a file in three ways, and says what has to be in it. */
const ALL_OVER = `${PREAMBLE}
import random
random.seed(1)
fd = os.open(big, os.O_RDWR)
size = os.fstat(fd).st_size
view = mmap.mmap(fd, size)
writes = []
def note(at, data): writes.append((at, bytes(data)))
for step in range(200):
    at = random.randrange(size)
    data = bytes([1 + step % 255]) * random.choice([1, 100, 5000])
    data = data[:size - at]
    if step % 2: view[at:at + len(data)] = data
    else: os.pwrite(fd, data, at)
    note(at, data)
    if step % 50 == 49:
        view.flush()
        os.fsync(fd)
for at, data in writes[-1:]: assert os.pread(fd, len(data), at) == data
view.flush()
os.close(fd)
view.close()
with open(sys.argv[1] + ".model", "wb") as out:
    content = bytearray(size)
    for at, data in writes: content[at:at + len(data)] = data
    out.write(content)
`;

parts(
  'writes all over a large file, by mapping and by call, with fsync between',
  ['share', 'apache'],
  (served) => sparse(`${served}/big`, 8 * MiB),
  async ({ dir, served, cost }) => {
    await cost(ALL_OVER);
    assert.ok(readFileSync(`${served}/big`).equals(readFileSync(`${dir}.model`)));
  },
);
