/** `-o locks=server`: locks of programs on two mounts of one share. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { serveShare } from '../interop/served-share.js';
import { startBackground, type Background } from '../support/background.js';
import { davport } from '../support/davport.js';
import { mountDavport, type Mount } from '../support/mount.js';
import { selectedPeers, startPeer, type Peer } from '../support/peers/index.js';
import { bash, python } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

const SERVER_LOCKS = ['locks=server', 'lock_timeout=6'];

type TwoMountPeer = Pick<Peer, 'channel' | 'dir' | 'adopt' | 'stop'>;

interface Scene {
  readonly peer: TwoMountPeer;
  readonly one: Mount;
  readonly other: Mount;
}

function scenes(name: string, body: (scene: Scene) => Promise<void>): void {
  for (const kind of selectedPeers()) {
    if (kind !== 'apache' && kind !== 'share') continue;
    test(`${name} [${kind}]`, { timeout: 90_000 }, (t) => play(t, kind, body));
  }
}

/** A channel has one mount. */
async function startHttpShare(): Promise<TwoMountPeer> {
  const { url, dir } = await serveShare();
  const nothing = async (): Promise<void> => undefined;
  return { channel: url, dir, adopt: nothing, stop: nothing };
}

async function play(
  t: TestContext,
  kind: 'apache' | 'share',
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const peer = kind === 'share' ? await startHttpShare() : await startPeer(kind);
  writeFileSync(`${peer.dir}/file`, 'old\n');
  await peer.adopt();
  const mounts: Mount[] = [];
  try {
    for (let count = 0; count < 2; count++) {
      mounts.push(await mountDavport({ channel: peer.channel, options: SERVER_LOCKS }));
    }
    await body({ peer, one: mounts[0]!, other: mounts[1]! });
    for (const mount of mounts) await mount.discard();
  } catch (error) {
    for (const mount of mounts) t.diagnostic(mount.log().slice(-4000));
    for (const mount of mounts) await mount.discard();
    throw error;
  } finally {
    await peer.stop();
  }
}

const HOLD = `
import fcntl, os, sys, time
fd = os.open(sys.argv[1], getattr(os, sys.argv[3]))
getattr(fcntl, sys.argv[2])(fd, fcntl.LOCK_SH if sys.argv[3] == 'O_RDONLY' and sys.argv[4:] else fcntl.LOCK_EX)
print('locked', flush=True)
sys.stdin.readline()
`;

/** A program that holds a lock until it is killed. */
async function hold(
  file: string,
  call = 'flock',
  flags = 'O_RDONLY',
  shared = false,
): Promise<Background> {
  const program = startBackground('/usr/bin/env', [
    ...['bash', '-c', 'sleep 1000 | python3 -c "$@"', 'hold', HOLD, file, call, flags],
    ...(shared ? ['shared'] : []),
  ]);
  await waitUntil('a lock', () => {
    if (!program.running) throw new Error(program.log());
    return program.log().includes('locked');
  });
  return program;
}

const TRY = `
import errno, fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
try:
  fcntl.flock(fd, (fcntl.LOCK_SH if sys.argv[2] == 'shared' else fcntl.LOCK_EX) | fcntl.LOCK_NB)
  print('locked')
except OSError as error:
  print(errno.errorcode[error.errno])
`;

async function tryLock(file: string, how: 'shared' | 'exclusive' = 'exclusive'): Promise<string> {
  return (await python(TRY, [file, how])).stdout.trim();
}

async function kill(program: Background): Promise<void> {
  process.kill(-program.pid, 'SIGKILL');
  await program.exited;
}

scenes('of two mounts one has the lock', async ({ one, other }) => {
  const holder = await hold(`${one.dir}/file`);
  assert.equal(await tryLock(`${other.dir}/file`), 'EAGAIN');
  assert.equal(await tryLock(`${one.dir}/file`), 'EAGAIN');
  const { stderr } = await bash('echo x > "$1/file"', [other.dir], { accept: 'any' });
  assert.match(stderr, /busy/);
  // Longer than a lock lives that nobody refreshes.
  await new Promise((resolve) => setTimeout(resolve, 8000));
  assert.equal(await tryLock(`${other.dir}/file`), 'EAGAIN');
  await kill(holder);
  await waitUntil(
    'the end of the lock',
    async () => (await tryLock(`${other.dir}/file`)) === 'locked',
  );
});

scenes('readers share a lock, a writer waits for them', async ({ one, other, peer }) => {
  const reader = await hold(`${one.dir}/file`, 'flock', 'O_RDONLY', true);
  assert.equal(await tryLock(`${other.dir}/file`, 'shared'), 'locked');
  assert.equal(await tryLock(`${other.dir}/file`), 'EAGAIN');
  const writer = bash('flock "$1/file" -c "echo written >> $1/file"', [other.dir], {
    timeoutMs: 30_000,
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await kill(reader);
  await writer;
  await waitUntil(
    'what was written',
    () => readFileSync(`${peer.dir}/file`, 'utf8') === 'old\nwritten\n',
  );
});

scenes('two mounts that count under a lock lose nothing', async ({ one, other, peer }) => {
  writeFileSync(`${peer.dir}/counter`, '0');
  await peer.adopt();
  // The lock is of a file of its own, the counter is opened under it.
  const count = `
import fcntl, os, sys
lock = os.open(sys.argv[1] + '/file', os.O_RDONLY)
for _ in range(15):
  fcntl.flock(lock, fcntl.LOCK_EX)
  with open(sys.argv[1] + '/counter') as file: value = int(file.read())
  with open(sys.argv[1] + '/counter', 'w') as file: file.write(str(value + 1))
  fcntl.flock(lock, fcntl.LOCK_UN)
`;
  await Promise.all([one, other].map(({ dir }) => python(count, [dir], { timeoutMs: 60_000 })));
  assert.equal(readFileSync(`${peer.dir}/counter`, 'utf8'), '30');
});

scenes('ranges of fcntl are exact within a mount', async ({ one, other }) => {
  const program = `
import errno, fcntl, os, struct, sys
def lock(fd, kind, start, length, wait=False):
  try:
    fcntl.lockf(fd, kind | (0 if wait else fcntl.LOCK_NB), length, start)
    return 'locked'
  except OSError as error:
    return errno.errorcode[error.errno]
fd = os.open(sys.argv[1] + '/file', os.O_RDWR)
print(lock(fd, fcntl.LOCK_EX, 0, 10))
sys.stdout.flush()
if os.fork() == 0:
  fd = os.open(sys.argv[1] + '/file', os.O_RDWR)
  print(lock(fd, fcntl.LOCK_EX, 5, 1), lock(fd, fcntl.LOCK_EX, 10, 0))
  told = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 2, 3, 0))
  kind, whence, start, length, pid = struct.unpack('hhqqi4x', told)
  print(kind == fcntl.F_WRLCK, start, length, pid == os.getppid())
  sys.stdout.flush()
  os._exit(0)
os.wait()
`;
  const { stdout } = await python(program, [one.dir]);
  assert.deepEqual(stdout.trim().split('\n'), ['locked', 'EAGAIN locked', 'True 0 10 True']);
  // It is given back after the close.
  await waitUntil(
    'the end of the lock',
    async () => (await tryLock(`${other.dir}/file`)) === 'locked',
  );
});

scenes('the lock of a mount that was killed ends by its time', async ({ one, other }) => {
  const holder = await hold(`${one.dir}/file`);
  assert.equal(await tryLock(`${other.dir}/file`), 'EAGAIN');
  await one.kill9();
  assert.equal(await tryLock(`${other.dir}/file`), 'EAGAIN');
  await waitUntil(
    'the end of the lock',
    async () => (await tryLock(`${other.dir}/file`)) === 'locked',
    20_000,
  );
  await one.discard();
  await kill(holder);
});

scenes('a file that is renamed stays locked', async ({ one, other, peer }) => {
  const writer = await hold(`${one.dir}/file`, 'lockf', 'O_RDWR');
  await bash('mv "$1/file" "$1/renamed"; echo new > "$1/file"', [one.dir]);
  await waitUntil('the new name', async () => {
    const { code } = await bash('ls "$1/renamed"', [other.dir], { accept: 'any' });
    return code === 0;
  });
  assert.equal(await tryLock(`${other.dir}/renamed`), 'EAGAIN');
  assert.equal(await tryLock(`${other.dir}/file`), 'locked');
  await kill(writer);
  await bash('flock "$1/file" rm "$1/file"', [one.dir]);
  await waitUntil('the end', async () => (await tryLock(`${other.dir}/renamed`)) === 'locked');
  assert.equal(readFileSync(`${peer.dir}/renamed`, 'utf8'), 'old\n');
});

for (const kind of selectedPeers()) {
  if (kind !== 'chezdav') continue;
  test(`a server whose locks can't be relied on is refused with the remedy [${kind}]`, async () => {
    const peer = await startPeer(kind);
    const dir = makeTempDir('davport-mnt-');
    const { code, stderr } = await davport(['mount', peer.channel, dir, '-o', 'locks=server'], {
      accept: 'any',
    });
    assert.notEqual(code, 0);
    assert.match(stderr, /locks=local/);
    await peer.stop();
  });
}
