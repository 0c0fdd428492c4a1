/** Two mounts of one folder, each by a share of its own: what a program may rely on to be the only one. */
import assert from 'node:assert/strict';
import { python } from '../support/run.js';
import { startPeer } from '../support/peers/index.js';
import { mountPeer, scenario } from '../support/scenario.js';

const ROUNDS = 40;

/** Tries to be the first, name by name; prints the names it got. */
const RACE = `
import ctypes, errno, os, sys, time
how, rounds, start = sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
mine = f'{how}-{os.getpid()}'
open(mine, 'w').write(mine)
def noreplace(source, target):
    open(source, 'w').write(source)
    if libc.renameat2(-100, source.encode(), -100, target.encode(), 1) != 0:
        raise OSError(ctypes.get_errno(), 'renameat2')
def create(name, text):
    fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.write(fd, text)
    os.close(fd)
ways = {
    'empty': lambda name: create(name, b''),
    'alike': lambda name: create(name, b'locked'),
    'mknod': lambda name: os.mknod(name),
    'link': lambda name: os.link(mine, name),
    'mkdir': os.mkdir,
    'symlink': lambda name: os.symlink(mine, name),
    'noreplace': lambda name: noreplace(f'{mine}-{name}', name),
}
for i in range(rounds):
    while time.time() < start + i * 0.02: pass
    try: ways[how](f'{how}{i}')
    except OSError as error: assert error.errno == errno.EEXIST, error
    else: print(i)
`;

for (const how of ['empty', 'alike', 'mknod', 'link', 'mkdir', 'symlink', 'noreplace']) {
  scenario(
    `of two mounts that make one name one succeeds: ${how}`,
    { timeoutMs: 60_000, peers: ['share'] },
    async ({ t, peer, dir }) => {
      const second = await startPeer('share', peer.dir);
      const other = await mountPeer(second);
      try {
        // Both go through the names in step.
        const start = String(Date.now() / 1000 + 1);
        const won = await Promise.all(
          [dir, other.dir].map(async (at) => {
            const { stdout } = await python(RACE, [at, how, String(ROUNDS), start]);
            return stdout.split('\n').filter((line) => line !== '');
          }),
        );
        t.diagnostic(won.map((names) => names.length).join(' : '));
        const all = won.flat().map(Number);
        assert.deepEqual(
          all.sort((a, b) => a - b),
          Array.from({ length: ROUNDS }, (_, i) => i),
        );
      } finally {
        await other.unmount();
        await second.stop();
      }
    },
  );
}
