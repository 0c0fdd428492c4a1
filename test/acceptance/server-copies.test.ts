/** Copies and renames that the peer carries out: counted is what crosses the channel. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test, type TestContext } from 'node:test';
import { mountDavport, type Mount } from '../support/mount.js';
import { selectedPeers, startPeer, type Peer } from '../support/peers/index.js';
import { startRelay } from '../support/relay.js';
import { bash, python } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';

const MiB = 1024 * 1024;
const SIZE = 24 * MiB;
/** Requests and answers; a mount says a few things by itself, too. */
const FEW_BYTES = 100_000;

interface Scene {
  readonly peer: Peer;
  readonly mount: Mount;
  readonly dir: string;
  /** What crosses the channel meanwhile. */
  readonly bytesOf: (work: string) => Promise<number>;
}

function scenes(name: string, body: (scene: Scene) => Promise<void>): void {
  for (const kind of selectedPeers()) {
    if (kind === 'spice') continue;
    test(`${name} [${kind}]`, { timeout: 60_000 }, (t) => play(t, kind, body));
  }
}

async function play(
  t: TestContext,
  kind: Peer['kind'] & ('share' | 'apache' | 'chezdav'),
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const served = makeTempDir('davport-served-');
  writeFileSync(`${served}/large`, randomBytes(SIZE), { mode: 0o640 });
  utimesSync(`${served}/large`, 1e9, 1e9);
  writeFileSync(`${served}/old`, 'old');
  const peer = await startPeer(kind, served);
  const relay = await startRelay(peer.channel);
  const mount = await mountDavport({ channel: relay.channel });
  const bytesOf = async (work: string): Promise<number> => {
    const before = relay.bytes;
    await bash(`cd "$1"; ${work}`, [mount.dir]);
    const bytes = relay.bytes - before;
    t.diagnostic(`${work}: ${bytes} bytes`);
    return bytes;
  };
  try {
    await bash('ls -l "$1"', [mount.dir]);
    await body({ peer, mount, dir: mount.dir, bytesOf });
    await mount.unmount();
  } catch (error) {
    t.diagnostic(mount.log().slice(-6000));
    await mount.discard();
    throw error;
  } finally {
    await relay.close();
    await peer.stop();
  }
}

const sameContent = (peer: Peer, name: string): void =>
  assert.ok(readFileSync(`${peer.dir}/${name}`).equals(readFileSync(`${peer.dir}/large`)), name);

scenes('a copy of a whole file is made at the peer', async ({ peer, dir, bytesOf }) => {
  await bash('chmod 640 "$1/large"; touch -d @1000000000 "$1/large"', [dir]);
  for (const [command, name] of [
    ['umask 022; cp large copy', 'copy'],
    ['cp --reflink=auto large again', 'again'],
    ['cp large old', 'old'],
    ['mkdir -p d; cp -a large d/preserved', 'd/preserved'],
  ] as const) {
    assert.ok((await bytesOf(command)) < FEW_BYTES, command);
    sameContent(peer, name);
  }
  const { stdout } = await bash(
    'cd "$1"; stat -c "%a %Y %s" copy old d/preserved; cmp large copy',
    [dir],
  );
  const [copy, old, preserved] = stdout.trim().split('\n');
  const recent = (line: string): boolean =>
    Math.abs(Date.now() / 1000 - Number(line.split(' ')[1])) < 60;
  // Elsewhere the mode of open(2) is stored where it makes a file executable (doc/SEMANTICS.md, 22).
  const mode = peer.kind === 'share' ? '640' : '644';
  assert.match(copy!, new RegExp(`^${mode} \\d+ ${SIZE}$`));
  assert.ok(recent(copy!), copy);
  assert.ok(recent(old!), old);
  assert.equal(preserved, `640 1000000000 ${SIZE}`);
  assert.deepEqual(
    readdirSync(peer.dir).filter((name) => name.startsWith('.davport')),
    [],
  );
});

scenes(
  'a copy gets the mode that open gave it, and no extended attributes',
  async ({ peer, dir }) => {
    await bash('cd "$1"; chmod 750 large; setfattr -n user.from -v source large', [dir]);
    const program = `
import os, sys
os.chdir(sys.argv[1])
os.umask(0)
source = os.open('large', os.O_RDONLY)
target = os.open('plain', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
count = os.copy_file_range(source, target, 1 << 40)
print(count, oct(os.fstat(target).st_mode), os.fstat(target).st_size, os.copy_file_range(source, target, 1 << 40))
os.pwrite(target, b'changed', 3)
os.close(target)
print(oct(os.stat('plain').st_mode), os.listxattr('plain'))
`;
    const { stdout } = await python(program, [dir]);
    assert.deepEqual(stdout.trim().split('\n'), [`${SIZE} 0o100644 ${SIZE} 0`, '0o100644 []']);
    const stored = readFileSync(`${peer.dir}/plain`);
    const expected = readFileSync(`${peer.dir}/large`);
    expected.write('changed', 3);
    assert.ok(stored.equals(expected));
  },
);

scenes(
  'parts, small files and what was written since are copied as well',
  async ({ peer, dir }) => {
    await bash(
      `cd "$1"
     dd if=large of=part bs=1M skip=1 count=2 status=none
     printf small > small; cp small small-copy
     cat large large > both`,
      [dir],
    );
    const program = `
import os, sys
os.chdir(sys.argv[1])
source = os.open('large', os.O_RDWR)
target = os.open('since', os.O_RDWR | os.O_CREAT, 0o644)
os.pwrite(source, b'since', 0)
done = 0
while count := os.copy_file_range(source, target, 1 << 40): done += count
# Into the middle, and of the middle.
second = os.open('middle', os.O_RDWR | os.O_CREAT, 0o644)
os.write(second, b'0123456789')
assert os.copy_file_range(source, second, 5, 1, 2) == 5
print(done, os.pread(target, 5, 0), os.pread(second, 20, 0))
`;
    const { stdout } = await python(program, [dir]);
    const large = readFileSync(`${peer.dir}/large`);
    const middle = `01${large.toString('latin1', 1, 6)}789`;
    assert.equal(readFileSync(`${peer.dir}/middle`, 'latin1'), middle);
    assert.match(stdout, new RegExp(`^${SIZE} b'since' `));
    sameContent(peer, 'since');
    assert.equal(readFileSync(`${peer.dir}/small-copy`, 'utf8'), 'small');
    const part = readFileSync(`${peer.dir}/part`);
    assert.ok(part.equals(large.subarray(MiB, 3 * MiB)));
    assert.equal(statSync(`${peer.dir}/both`).size, 2 * SIZE);
  },
);

scenes('a name that somebody else has made meanwhile is not copied over', async ({ peer, dir }) => {
  const program = `
import os, sys
os.chdir(sys.argv[1])
source = os.open('large', os.O_RDONLY)
target = os.open('theirs', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
with open(sys.argv[2] + '/theirs', 'w') as other: other.write('theirs')
try:
  os.copy_file_range(source, target, 1 << 40)
except OSError as error:
  print(error.errno)
try:
  os.close(target)
except OSError as error:
  print(error.errno)
`;
  const { stdout } = await python(program, [dir, peer.dir]);
  assert.equal(stdout, '17\n17\n');
  assert.equal(readFileSync(`${peer.dir}/theirs`, 'utf8'), 'theirs');
});

scenes('a move between folders is a MOVE', async ({ peer, bytesOf }) => {
  assert.ok((await bytesOf('mkdir -p a/b c; mv large a/b/moved; mv a c')) < FEW_BYTES);
  assert.equal(statSync(`${peer.dir}/c/a/b/moved`).size, SIZE);
  assert.ok(!existsSync(`${peer.dir}/large`));
  rmSync(`${peer.dir}/c`, { recursive: true });
});
