import assert from 'node:assert/strict';
import { mkdir, opendir, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { python, type PosixCases } from './tools.js';

const MANY = 5_000;

async function fill(dir: string, count: number): Promise<string[]> {
  const names = Array.from(
    { length: count },
    (_, index) => `file-${index}-${'n'.repeat(index % 50)}`,
  );
  for (let at = 0; at < count; at += 100) {
    await Promise.all(names.slice(at, at + 100).map((name) => writeFile(join(dir, name), '')));
  }
  return names;
}

export const DIRECTORY_CASES: PosixCases = {
  [`listing: ${MANY} entries, each exactly once`]: async (dir) => {
    const names = await fill(dir, MANY);
    const listed = await readdir(dir);
    assert.equal(listed.length, MANY);
    assert.deepEqual(new Set(listed), new Set(names));
    const detailed = await readdir(dir, { withFileTypes: true });
    assert.ok(detailed.every((entry) => entry.isFile()));
    await rm(dir, { recursive: true });
    await mkdir(dir);
  },

  'listing: "." and ".." are there with kinds and inode numbers': async (dir) => {
    await mkdir(join(dir, 'sub'));
    await writeFile(join(dir, 'sub/file'), '');
    const out = await python(
      `
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(sys.argv[1], os.O_RDONLY)
room = ctypes.create_string_buffer(32768)
n = libc.syscall(217 if os.uname().machine == 'x86_64' else 61, fd, room, 32768)
at, found = 0, {}
while at < n:
  ino, off, reclen, kind = struct.unpack_from('QqHB', room, at)
  name = room.raw[at + 19:at + reclen].split(b'\\0')[0].decode()
  found[name] = (ino, kind)
  at += reclen
assert found['.'][1] == 4 and found['..'][1] == 4 and found['file'][1] == 8, found
assert found['.'][0] == os.fstat(fd).st_ino, found
assert found['file'][0] == os.stat(sys.argv[1] + '/file').st_ino, found
print(sorted(found))
`,
      join(dir, 'sub'),
    );
    assert.equal(out.trim(), "['.', '..', 'file']");
  },

  'listing: telldir, seekdir and rewinddir': async (dir) => {
    await fill(dir, 500);
    const out = await python(
      `
libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
for f in (libc.readdir, libc.telldir, libc.rewinddir, libc.closedir): f.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
d = libc.opendir(sys.argv[1].encode())
def next():
  e = libc.readdir(d)
  return None if e is None else ctypes.string_at(e + 19)
places, names = [], []
while True:
  places.append(libc.telldir(d))
  name = next()
  if name is None: break
  names.append(name)
assert len(names) == 502, len(names)
for index in (0, 1, 2, 250, 499, 501):
  libc.seekdir(d, places[index])
  assert next() == names[index], index
libc.rewinddir(d)
assert next() == names[0]
libc.closedir(d)
print('ok')
`,
      dir,
    );
    assert.equal(out.trim(), 'ok');
  },

  'listing: removing while listing loses nothing': async (dir) => {
    const names = await fill(dir, 1_000);
    const seen = new Set<string>();
    for await (const entry of await opendir(dir, { bufferSize: 1 })) {
      assert.ok(!seen.has(entry.name), `twice: ${entry.name}`);
      seen.add(entry.name);
      await unlink(join(dir, entry.name));
    }
    assert.deepEqual(seen, new Set(names));
    assert.deepEqual(await readdir(dir), []);
  },

  'listing: others coming and going do not disturb what stays': async (dir) => {
    const stay = await fill(dir, 800);
    const stop = new AbortController();
    const churn = (async () => {
      for (let turn = 0; !stop.signal.aborted; turn += 1) {
        const path = join(dir, `churn-${turn % 20}`);
        await writeFile(path, '');
        await unlink(path);
      }
    })();
    try {
      for (let round = 0; round < 5; round += 1) {
        const listed = (await readdir(dir)).filter((name) => name.startsWith('file-'));
        assert.equal(listed.length, stay.length);
        assert.deepEqual(new Set(listed), new Set(stay));
      }
    } finally {
      stop.abort();
      await churn;
    }
  },

  'listing: rm -r of a tree': async (dir) => {
    for (const path of ['a/b/c', 'a/d', 'e']) await mkdir(join(dir, path), { recursive: true });
    for (const path of ['a/1', 'a/b/2', 'a/b/c/3', 'e/4']) await writeFile(join(dir, path), 'x');
    await python('import shutil; shutil.rmtree(sys.argv[1] + "/a")', dir);
    assert.deepEqual(await readdir(dir), ['e']);
  },
};
