/** The promises of doc/SEMANTICS.md that no other test shows. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { startBackground } from '../support/background.js';
import { bash, python } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { waitUntil } from '../support/wait-until.js';

const limit = { timeoutMs: 60_000 };

function replaceAtPeer(file: string, content: string): void {
  writeFileSync(`${file}.tmp`, content);
  renameSync(`${file}.tmp`, file);
}

scenario(
  'an open sees what the last close at the peer made, at once',
  { ...limit, prepare: (served) => writeFileSync(`${served}/file`, 'one') },
  async ({ peer, dir }) => {
    // Each version has the length of the one before: only asking tells them apart.
    let before = 'one';
    for (const content of ['two', 'six', 'ten']) {
      assert.equal((await bash('cat "$1/file"', [dir])).stdout, before);
      replaceAtPeer(`${peer.dir}/file`, content);
      await peer.adopt();
      assert.equal((await bash('cat "$1/file"', [dir])).stdout, content);
      before = content;
    }
  },
);

const SEEN_LATE = `
import os, sys, time
folder, served = sys.argv[1], sys.argv[2]
def seen(): return 'late' in os.listdir(folder) and os.stat(folder + '/size').st_size == 5
os.listdir(folder); os.stat(folder + '/size')
open(served + '/late', 'w').close()
open(served + '/size', 'w').write('12345')
start, late = time.monotonic(), 0
while True:
    # An answer is as old as it was when it was asked for, however long it took to come.
    asked = time.monotonic()
    if seen(): break
    late = asked - start
    if late > 20: sys.exit('never seen')
print(late)`;

for (const [options, most] of [
  [['attr_timeout=1'], 1],
  [['strict'], 0],
] as const) {
  scenario(
    `names and attributes are at most ${most} s old with -o ${options.join(',')}`,
    {
      ...limit,
      options,
      peers: ['share', 'chezdav'],
      prepare: (served) => writeFileSync(`${served}/size`, ''),
    },
    async ({ peer, dir, t }) => {
      const { stdout } = await python(SEEN_LATE, [dir, peer.dir]);
      t.diagnostic(`${stdout.trim()} s`);
      // What asking itself takes comes on top, on a busy machine.
      assert.ok(Number(stdout) < most + 1, stdout);
    },
  );
}

scenario('own changes are seen at once', limit, async ({ dir }) => {
  const script = `
    cd "$1"
    test ! -e file && echo one > file && test "$(cat file)" = one
    echo two >> file && test "$(stat -c %s file)" = 8
    mkdir folder && mv file folder/moved && test ! -e file && test "$(wc -l < folder/moved)" = 2
    test "$(ls folder)" = moved
    truncate -s 3 folder/moved && test "$(cat folder/moved)" = one
    mv folder other && test "$(cat other/moved)" = one && test ! -e folder
    rm other/moved && rmdir other && test -z "$(ls -A)"`;
  await bash(script, [dir]);
});

const SECOND_WRITER = `
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
os.write(fd, b'mine')
print('written', flush=True)
while not os.path.exists(sys.argv[2]): time.sleep(0.02)
try:
    os.close(fd)
    print('closed')
except OSError as error:
    print(os.strerror(error.errno))`;

scenario(
  'a change by someone else since open: ESTALE, and a conflict copy',
  { ...limit, prepare: (served) => writeFileSync(`${served}/file`, 'base') },
  async ({ peer, dir }) => {
    const go = `${dir}.go`;
    const writer = startBackground('/usr/bin/python3', ['-c', SECOND_WRITER, `${dir}/file`, go]);
    await waitUntil('the write', () => writer.log().includes('written'));
    replaceAtPeer(`${peer.dir}/file`, 'theirs, and longer');
    await peer.adopt();
    writeFileSync(go, '');
    await writer.exited;
    assert.match(writer.log(), /Stale file handle/);
    assert.equal(readFileSync(`${peer.dir}/file`, 'utf8'), 'theirs, and longer');
    const copies = readdirSync(peer.dir).filter((name) =>
      /^file \(conflict \d{4}-\d\d-\d\d \d\d-\d\d-\d\d\)$/.test(name),
    );
    assert.equal(copies.length, 1, readdirSync(peer.dir).join(' '));
    assert.equal(readFileSync(`${peer.dir}/${copies[0]!}`, 'utf8'), 'mine');
  },
);

scenario(
  'the same of a large file of which a part was written: the copy is complete, and has that part',
  { ...limit, prepare: (served) => writeFileSync(`${served}/file`, Buffer.alloc(1_000_000, 'b')) },
  async ({ peer, mount, dir }) => {
    const go = `${dir}.go`;
    const writer = startBackground('/usr/bin/python3', ['-c', SECOND_WRITER, `${dir}/file`, go]);
    await waitUntil('the write', () => writer.log().includes('written'));
    const theirs = Buffer.alloc(1_000_005, 't');
    replaceAtPeer(`${peer.dir}/file`, theirs.toString());
    await peer.adopt();
    writeFileSync(go, '');
    await writer.exited;
    assert.match(writer.log(), /Stale file handle/);
    assert.ok(readFileSync(`${peer.dir}/file`).equals(theirs));
    const [copy, ...others] = readdirSync(peer.dir).filter((name) => name.includes('(conflict '));
    assert.deepEqual(others, []);
    // Where only what was written was here, the rest is of what the peer has.
    const merged = mount.log().includes('put into what the peer has now');
    assert.equal(merged, peer.kind === 'share' || peer.kind === 'apache');
    const expected = Buffer.alloc(1_000_000, merged ? 't' : 'b');
    expected.write('mine');
    assert.ok(readFileSync(`${peer.dir}/${copy!}`).equals(expected));
  },
);

scenario('locks hold between programs of this machine', limit, async ({ dir }) => {
  const script = `
    cd "$1" && touch file
    exec 3<> file && flock 3
    flock --nonblock --conflict-exit-code 9 file true && exit 1 || test $? = 9
    flock --unlock 3 && flock --nonblock file true`;
  await bash(script, [dir]);
});

const ERRNOS = `
import errno, os, stat, sys
os.chdir(sys.argv[1])
open('file', 'w').write('x')
def fails(name, call, *args):
    try: call(*args)
    except OSError as error: return error.errno == getattr(errno, name) or sys.exit(f'{call} {args}: {error}')
    sys.exit(f'{call} {args} succeeded')
if sys.argv[2] == 'share': os.link('file', 'linked'); os.unlink('linked')
else: fails('EPERM', os.link, 'file', 'linked')
fails('EPERM', os.chown, 'file', 12345, -1)
fails('EPERM', os.mkfifo, 'fifo')
fails('EPERM', os.mknod, 'device', stat.S_IFCHR | 0o600, os.makedev(1, 3))
fails('EOPNOTSUPP', os.setxattr, 'file', 'trusted.a', b'1')
fails('ENOENT', os.stat, 'absent')
fails('ENOTEMPTY', lambda: (os.makedirs('full/x'), os.rmdir('full')))
fails('ENOTDIR', os.stat, 'file/below')
fails('EISDIR', os.open, 'full', os.O_WRONLY)
fails('EEXIST', os.mkdir, 'full')
fails('ENAMETOOLONG', os.stat, 'n' * 256)
os.chown('file', os.stat('file').st_uid, os.stat('file').st_gid)
assert os.listdir('.') and sorted(os.listdir('.')) == ['file', 'full'], os.listdir('.')`;

scenario(
  'what WebDAV cannot say fails with the errno that programs know',
  limit,
  async ({ peer, dir }) => {
    await python(ERRNOS, [dir, peer.kind]);
  },
);

scenario(
  'modes, times and symbolic links come back after a new mount',
  limit,
  async ({ mount, dir }) => {
    const make = `
    cd "$1"
    echo x > file && chmod 640 file && touch -d '2001-02-03 04:05:06.789 UTC' file
    echo 'echo run' > script && chmod 755 script
    ln -s 'some where/../file' link && ln -s file good`;
    await bash(make, [dir]);
    for (const round of ['before', 'after']) {
      if (round === 'after') await mount.remount();
      const look = `
      cd "$1"
      stat -c %a file && TZ=UTC stat -c %.3Y file
      stat -c %a script && ./script
      readlink link && cat good && stat -c %F link`;
      const { stdout } = await bash(look, [dir]);
      assert.equal(
        stdout,
        '640\n981173106.789\n755\nrun\nsome where/../file\nx\nsymbolic link\n',
        round,
      );
    }
  },
);

scenario('extended attributes of users are kept', limit, async ({ mount, dir }) => {
  const set = `cd "$1" && touch file && setfattr -n user.colour -v 'deep blue' file && setfattr -n user.gone -v 1 file &&
    setfattr -x user.gone file`;
  await bash(set, [dir]);
  await mount.remount();
  const { stdout } = await bash('cd "$1" && getfattr -d file', [dir]);
  assert.equal(stdout, '# file: file\nuser.colour="deep blue"\n\n');
});

const HOLES = `
import errno, os, sys
fd = os.open(sys.argv[1] + '/file', os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b'end', 1000000)
assert os.pread(fd, 1000000, 0) == bytes(1000000)
assert os.lseek(fd, 0, os.SEEK_HOLE) in (0, 1000003) and os.lseek(fd, 0, os.SEEK_DATA) in (0, 1000000)
try:
    os.lseek(fd, 1000003, os.SEEK_DATA); sys.exit('data after the end')
except OSError as error: assert error.errno == errno.ENXIO, error
os.posix_fallocate(fd, 0, 2000000)
assert os.fstat(fd).st_size == 2000000
os.close(fd)`;

scenario('holes read as zeros, room can be taken in advance', limit, async ({ dir }) => {
  await python(HOLES, [dir]);
  const { code, stderr } = await bash('fallocate --punch-hole --length 4096 "$1/file"', [dir], {
    accept: 'any',
  });
  assert.notEqual(code, 0);
  assert.match(stderr, /not supported|unsupported/i);
});
