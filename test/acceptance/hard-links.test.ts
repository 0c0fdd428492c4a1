/** Hard links over a mount of our own share. */
import assert from 'node:assert/strict';
import {
  closeSync,
  ftruncateSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { bash, python } from '../support/run.js';
import { scenario } from '../support/scenario.js';

const options = { timeoutMs: 120_000, peers: ['share'] as const };

const LINKS = `
import errno, os, sys
os.chdir(sys.argv[1])
def fails(name, call, *args):
    try: call(*args)
    except OSError as error: assert error.errno == getattr(errno, name), error
    else: sys.exit(f'{call} {args} succeeded')
def content(path): return open(path).read()
def same(*paths, nlink):
    stats = [os.stat(path) for path in paths]
    assert len({(s.st_dev, s.st_ino) for s in stats}) == 1, stats
    assert {s.st_nlink for s in stats} == {nlink}, stats
    assert len({(s.st_size, s.st_mtime_ns, s.st_mode) for s in stats}) == 1, stats

os.mkdir('d')
open('a', 'w').write('one')
ino = os.stat('a').st_ino
os.link('a', 'd/b')
same('a', 'd/b', nlink=2)
assert os.stat('d/b').st_ino == ino

# Written through one name, read through the others: closed, and still open.
open('d/b', 'w').write('through b')
assert content('a') == 'through b'
same('a', 'd/b', nlink=2)
fd = os.open('a', os.O_RDWR)
assert os.read(fd, 100) == b'through b'
os.link('d/b', 'c')
os.pwrite(fd, b'THROUGH', 0)
assert content('c') == 'THROUGH b' == content('d/b')
assert os.fstat(fd).st_nlink == 3
os.unlink('a')
assert os.fstat(fd).st_nlink == 2
os.pwrite(fd, b'unlinked', 0)
os.close(fd)
assert content('c') == 'unlinkedb' == content('d/b')
same('c', 'd/b', nlink=2)
os.chmod('c', 0o600)
os.utime('d/b', ns=(10**18, 10**18 + 1))
same('c', 'd/b', nlink=2)

# Renamed: a name, the folder of one, one over another file, and over its own other name.
os.rename('c', 'c2')
os.rename('d', 'e')
same('c2', 'e/b', nlink=2)
open('victim', 'w').write('victim')
os.link('victim', 'spared')
held = open('victim')
os.rename('c2', 'victim')
assert held.read() == 'victim'
same('victim', 'e/b', nlink=2)
assert content('spared') == 'victim' and os.stat('spared').st_nlink == 1
os.rename('victim', 'e/b')
same('victim', 'e/b', nlink=2)
open('victim', 'w').write('together')
assert content('e/b') == 'together'

# Of a new file that is still open, and of a symbolic link.
with open('new', 'w') as new:
    new.write('new')
    new.flush()
    os.link('new', 'newer')
    new.write('est')
same('new', 'newer', nlink=2)
assert content('newer') == 'newest'
os.symlink('new', 'link')
os.link('link', 'link2', follow_symlinks=False)
assert os.readlink('link2') == 'new' and os.lstat('link2').st_nlink == 2

fails('EEXIST', os.link, 'new', 'newer')
fails('EEXIST', os.link, 'new', 'e')
fails('ENOENT', os.link, 'absent', 'x')
fails('ENOENT', os.link, 'new', 'absent/x')
fails('EPERM', os.link, 'e', 'x')
`;

const LOOK = `
import os, sys
os.chdir(sys.argv[1])
names = {}
for folder, folders, files in os.walk('.'):
    for file in files:
        path = os.path.join(folder, file)
        info = os.lstat(path)
        text = os.readlink(path) if os.path.islink(path) else open(path).read()
        names.setdefault((info.st_ino, info.st_nlink, info.st_mode, text), []).append(path)
for (_, *told), paths in sorted(names.items(), key=lambda item: min(item[1])):
    print(sorted(paths), *told)
`;

scenario('hard links: one file with several names', options, async ({ peer, mount, dir }) => {
  await python(LINKS, [dir]);
  const { stdout: atPeer } = await python(LOOK, [peer.dir]);
  const linked = atPeer.split('\n').filter((line) => line.includes(','));
  assert.deepEqual(
    linked.map((line) => line.replace(/\d+ (\w+)$/, '$1')),
    [
      "['./e/b', './victim'] 2 together",
      "['./link', './link2'] 2 new",
      "['./new', './newer'] 2 newest",
    ],
  );
  const { stdout: before } = await python(LOOK, [dir]);
  assert.equal(before, atPeer);
  await mount.remount();
  const { stdout: after } = await python(LOOK, [dir]);
  assert.equal(after, atPeer);
});

/** Changes at the peer are seen after attr_timeout, and later on a busy machine. */
const seen = (what: string, dir: string): Promise<unknown> =>
  bash(`cd "$1"; for i in $(seq 100); do ${what} && exit; sleep 0.1; done; exit 1`, [dir]);

scenario(
  'hard links that are made and removed at the peer',
  { ...options, prepare: (served) => writeFileSync(`${served}/a`, 'one') },
  async ({ peer, dir }) => {
    await bash('test $(stat -c %h "$1/a") = 1', [dir]);
    linkSync(`${peer.dir}/a`, `${peer.dir}/b`);
    await seen('ls -l; test a -ef b && test $(stat -c %h a) = 2', dir);
    await bash('cd "$1" && echo two > a && grep -q two b', [dir]);
    assert.equal(readFileSync(`${peer.dir}/b`, 'utf8'), 'two\n');
    // The name by which the mount knows it best goes.
    await bash('rm "$1/a"', [peer.dir]);
    await seen('test ! -e a && test $(stat -c %h b) = 1', dir);
    await bash('cd "$1" && echo three > b && ln b c && rm b && cat c', [dir]);
    assert.equal(readFileSync(`${peer.dir}/c`, 'utf8'), 'three\n');
    // Another file takes one of the names.
    await bash('ln "$1/c" "$1/d"', [peer.dir]);
    await seen('ls -l; test c -ef d', dir);
    await bash('echo other > "$1/new" && mv "$1/new" "$1/d"', [peer.dir]);
    await seen('test ! c -ef d', dir);
    await bash('cd "$1" && echo four > c && grep -q other d', [dir]);
    assert.equal(statSync(`${peer.dir}/d`).nlink, 1);
  },
);

const READ_ON = `
import os, sys
os.chdir(sys.argv[1])
MIB = 1 << 20
def read(fd, at):
    block = os.pread(fd, MIB, at * MIB)
    assert block == bytes([at]) + bytes(MIB - 1), (at, len(block))
changes = {
    'chmod': lambda: os.chmod('long', 0o600),
    'link': lambda: os.link('long', 'longer'),
    'rename': lambda: os.rename('long', 'renamed'),
    'unlink': lambda: os.unlink('renamed'),
}
fd = os.open('long', os.O_RDONLY)
read(fd, 0)
for at, (how, change) in enumerate(changes.items()):
    change()
    read(fd, 240 - 50 * at)
assert os.fstat(fd).st_nlink == 1
print(os.listdir('.'))
`;

function makeLong(served: string): void {
  const fd = openSync(`${served}/long`, 'w');
  ftruncateSync(fd, 250 << 20);
  for (let at = 0; at < 250; at++) writeSync(fd, Buffer.of(at), 0, 1, at << 20);
  closeSync(fd);
}

scenario(
  'a long file is read on while its names and its mode change here',
  { ...options, prepare: makeLong },
  async ({ dir }) => {
    const { stdout } = await python(READ_ON, [dir]);
    assert.equal(stdout.trim(), "['longer']");
  },
);
