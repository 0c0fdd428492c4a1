import assert from 'node:assert/strict';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  stat,
  statfs,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

import { python, withFile, type PosixCases } from './tools.js';

export const ATTRIBUTE_CASES: PosixCases = {
  'attributes: chmod': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, '');
    for (const mode of [0o600, 0o644, 0o755, 0o000, 0o777]) {
      await chmod(path, mode);
      assert.equal((await stat(path)).mode & 0o7777, mode);
    }
    await mkdir(join(dir, 'sub'));
    await chmod(join(dir, 'sub'), 0o700);
    assert.equal((await stat(join(dir, 'sub'))).mode & 0o7777, 0o700);
  },

  'attributes: the umask is applied once': async (dir) => {
    const before = process.umask(0o027);
    try {
      await (await open(join(dir, 'file'), 'w', 0o666)).close();
      await mkdir(join(dir, 'sub'), 0o777);
    } finally {
      process.umask(before);
    }
    assert.equal((await stat(join(dir, 'file'))).mode & 0o777, 0o640);
    assert.equal((await stat(join(dir, 'sub'))).mode & 0o777, 0o750);
  },

  'attributes: chown of one and of both': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, '');
    await chown(path, 1234, 5678);
    let info = await stat(path);
    assert.deepEqual([info.uid, info.gid], [1234, 5678]);
    await python('os.chown(sys.argv[1], -1, 77)', path);
    info = await stat(path);
    assert.deepEqual([info.uid, info.gid], [1234, 77]);
  },

  'attributes: times to the nanosecond, each for itself': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, '');
    const set = (atime: bigint, mtime: bigint): Promise<string> =>
      python(
        'os.utime(sys.argv[1], ns=(int(sys.argv[2]), int(sys.argv[3])))',
        path,
        String(atime),
        String(mtime),
      );
    for (const [atime, mtime] of [
      [1_500_000_000_123_456_789n, 1_600_000_000_987_654_321n],
      [0n, 1n],
      [4_102_444_800_000_000_000n, 10_000_000_000_000_000_000n],
    ] as const) {
      await set(atime, mtime);
      const info = await stat(path, { bigint: true });
      assert.deepEqual([info.atimeNs, info.mtimeNs], [atime, mtime]);
    }
  },

  'attributes: times before 1970': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, '');
    await python('os.utime(sys.argv[1], ns=(-1500000000, -1))', path);
    const out = await python('s = os.stat(sys.argv[1]); print(s.st_atime_ns, s.st_mtime_ns)', path);
    assert.equal(out.trim(), '-1500000000 -1');
  },

  'attributes: equal times to the second': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, '');
    await utimes(path, 1_500_000_000, 1_500_000_000);
    const info = await stat(path);
    assert.deepEqual([info.atimeMs, info.mtimeMs], [1_500_000_000_000, 1_500_000_000_000]);
  },

  'attributes: UTIME_NOW and UTIME_OMIT': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, '');
    const out = await python(
      `
path = sys.argv[1].encode()
libc = ctypes.CDLL(None, use_errno=True)
NOW, OMIT = (1 << 30) - 1, (1 << 30) - 2
def utimens(a, m):
  times = struct.pack('qqqq', *a, *m)
  assert libc.utimensat(-100, path, times, 0) == 0
utimens((1000, 5), (2000, 6))
utimens((0, OMIT), (3000, 7))
s = os.stat(path); print(s.st_atime_ns, s.st_mtime_ns)
utimens((4000, 8), (0, OMIT))
s = os.stat(path); print(s.st_atime_ns, s.st_mtime_ns)
utimens((0, OMIT), (0, NOW))
s = os.stat(path); print(s.st_atime_ns, s.st_mtime_ns > 1600000000 * 10**9)
`,
      path,
    );
    assert.deepEqual(out.trim().split('\n'), [
      '1000000000005 3000000000007',
      '4000000000008 3000000000007',
      '4000000000008 True',
    ]);
  },

  'attributes: writing moves mtime, reading does not': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, 'x');
    await utimes(path, 1_000, 1_000);
    await withFile(path, 'r', (handle) => handle.readFile());
    assert.equal((await stat(path)).mtimeMs, 1_000_000);
    await withFile(path, 'r+', (handle) => handle.write('y'));
    assert.ok((await stat(path)).mtimeMs > 1_000_000);
  },

  'attributes: fstat of an open file agrees with stat': async (dir) => {
    const path = join(dir, 'file');
    await withFile(path, 'w', async (handle) => {
      await handle.write('12345');
      const [byHandle, byPath] = [await handle.stat(), await stat(path)];
      assert.equal(byHandle.ino, byPath.ino);
      assert.equal(byHandle.size, 5);
      assert.equal(byPath.size, 5);
    });
  },

  'attributes: kinds, links and inode numbers': async (dir) => {
    await mkdir(join(dir, 'sub'));
    await writeFile(join(dir, 'file'), '');
    const [folder, sub, file] = [
      await lstat(dir),
      await lstat(join(dir, 'sub')),
      await lstat(join(dir, 'file')),
    ];
    assert.ok(folder.isDirectory() && sub.isDirectory() && file.isFile());
    assert.equal(new Set([folder.ino, sub.ino, file.ino]).size, 3);
    assert.equal(file.nlink, 1);
    assert.equal(file.dev, folder.dev);
  },

  'attributes: statfs': async (dir) => {
    const info = await statfs(dir);
    assert.ok(info.blocks > 0 && info.bfree <= info.blocks && info.bavail <= info.bfree);
    const out = await python('print(os.statvfs(sys.argv[1]).f_namemax)', dir);
    assert.equal(Number(out), 255);
  },

  'attributes: extended ones': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, '');
    const out = await python(
      `
p = sys.argv[1]
def fails(code, f, *args):
  try: f(*args)
  except OSError as e: assert e.errno == code, e
  else: raise AssertionError(f)
os.setxattr(p, 'user.one', b'first')
os.setxattr(p, 'user.empty', b'')
os.setxattr(p, 'user.binary', bytes(range(256)) * 8)
assert os.getxattr(p, 'user.one') == b'first'
assert os.getxattr(p, 'user.empty') == b''
assert os.getxattr(p, 'user.binary') == bytes(range(256)) * 8
assert sorted(os.listxattr(p)) == ['user.binary', 'user.empty', 'user.one']
os.setxattr(p, 'user.one', b'second', os.XATTR_REPLACE)
assert os.getxattr(p, 'user.one') == b'second'
fails(errno.EEXIST, os.setxattr, p, 'user.one', b'', os.XATTR_CREATE)
fails(errno.ENODATA, os.setxattr, p, 'user.two', b'', os.XATTR_REPLACE)
fails(errno.ENODATA, os.getxattr, p, 'user.two')
os.removexattr(p, 'user.one')
fails(errno.ENODATA, os.removexattr, p, 'user.one')
libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(10)
assert libc.getxattr(p.encode(), b'user.binary', room, 10) == -1
assert ctypes.get_errno() == errno.ERANGE
assert libc.listxattr(p.encode(), room, 3) == -1
assert ctypes.get_errno() == errno.ERANGE
print('ok')
`,
      path,
    );
    assert.equal(out.trim(), 'ok');
  },

  'attributes: an unprivileged writer clears the setuid bit': async (dir) => {
    const path = join(dir, 'tool');
    await writeFile(path, 'x');
    await chmod(dir, 0o777);
    await chown(path, 65534, 65534);
    await chmod(path, 0o4755);
    const out = await python(
      `
os.chdir(os.path.dirname(sys.argv[1]))
p = os.path.basename(sys.argv[1])
os.setgid(65534); os.setuid(65534)
fd = os.open(p, os.O_WRONLY)
os.write(fd, b'y')
os.close(fd)
print(oct(os.stat(p).st_mode & 0o7777))
`,
      path,
    );
    assert.equal(out.trim(), '0o755');
  },

  'locks: flock and fcntl hold between processes': async (dir) => {
    const out = await python(
      `
p = sys.argv[1]
def held(lock):
  pid = os.fork()
  if pid == 0:
    fd = os.open(p, os.O_RDWR)
    try: lock(fd); os._exit(0)
    except OSError as e: os._exit(1 if e.errno in (errno.EAGAIN, errno.EACCES) else 2)
  return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
fd = os.open(p, os.O_RDWR | os.O_CREAT, 0o644)
flock = lambda f: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
lockf = lambda f: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
flock(fd); lockf(fd)
print(held(flock), held(lockf))
fcntl.flock(fd, fcntl.LOCK_UN); fcntl.lockf(fd, fcntl.LOCK_UN)
print(held(flock), held(lockf))
`,
      join(dir, 'file'),
    );
    assert.deepEqual(out.trim().split('\n'), ['1 1', '0 0']);
  },
};
