import assert from 'node:assert/strict';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { assertSameBytes, failsWith, pattern, python, withFile, type PosixCases } from './tools.js';

const KIB = 1024;
const MIB = 1024 * KIB;

export const DATA_CASES: PosixCases = {
  'data: sizes around block and request borders': async (dir) => {
    for (const border of [1, 4 * KIB, 128 * KIB, MIB]) {
      for (const size of [border - 1, border, border + 1]) {
        const path = join(dir, `size-${size}`);
        const content = pattern(size, border);
        await writeFile(path, content);
        assert.equal((await stat(path)).size, size);
        assertSameBytes(await readFile(path), content);
      }
    }
  },

  'data: 20 MiB written in odd pieces': async (dir) => {
    const path = join(dir, 'big');
    const content = pattern(20 * MIB);
    await withFile(path, 'w', async (handle) => {
      for (let at = 0; at < content.length; at += 333_337) {
        await handle.write(content.subarray(at, Math.min(at + 333_337, content.length)));
      }
    });
    assertSameBytes(await readFile(path), content);
  },

  'data: pread and pwrite anywhere': async (dir) => {
    await withFile(join(dir, 'file'), 'w+', async (handle) => {
      await handle.write('0123456789', 0);
      await handle.write('abc', 4);
      await handle.write('Z', 9);
      const read = async (at: number, length: number): Promise<string> => {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
        return buffer.toString('utf8', 0, bytesRead);
      };
      assert.equal(await read(0, 100), '0123abc78Z');
      assert.equal(await read(3, 3), '3ab');
      assert.equal(await read(9, 5), 'Z');
      assert.equal(await read(10, 5), '');
      assert.equal(await read(1e12, 5), '');
    });
  },

  'data: a hole reads as zeros': async (dir) => {
    const path = join(dir, 'holes');
    await withFile(path, 'w+', async (handle) => {
      await handle.write('end', 3 * MIB);
      await handle.write('mid', 1 * MIB + 5);
    });
    const content = await readFile(path);
    assert.equal(content.length, 3 * MIB + 3);
    assert.equal(content.toString('utf8', MIB + 5, MIB + 8), 'mid');
    content.fill(0, MIB + 5, MIB + 8).fill(0, 3 * MIB);
    assert.ok(content.every((byte) => byte === 0));
  },

  'data: beyond 4 GiB': async (dir) => {
    const path = join(dir, 'sparse');
    const at = 5 * 1024 * MIB + 7;
    await withFile(path, 'w+', async (handle) => {
      await handle.write('far', at);
      assert.equal((await handle.stat()).size, at + 3);
      assert.equal((await handle.read(Buffer.alloc(3), 0, 3, at)).buffer.toString(), 'far');
    });
  },

  'data: truncate down and up again shows zeros': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, pattern(10_000));
    await truncate(path, 5_000);
    await truncate(path, 9_000);
    const content = await readFile(path);
    assertSameBytes(
      content,
      Buffer.concat([pattern(10_000).subarray(0, 5_000), Buffer.alloc(4_000)]),
    );
    await truncate(path, 0);
    assert.equal((await readFile(path)).length, 0);
  },

  'data: ftruncate through a handle': async (dir) => {
    await withFile(join(dir, 'file'), 'w+', async (handle) => {
      await handle.write(pattern(1000), 0, 1000, 0);
      await handle.truncate(10);
      assert.equal((await handle.stat()).size, 10);
      await handle.truncate(MIB);
      assert.equal((await handle.stat()).size, MIB);
      const { buffer } = await handle.read(Buffer.alloc(20), 0, 20, 0);
      assertSameBytes(buffer, Buffer.concat([pattern(10), Buffer.alloc(10)]));
    });
    await failsWith('ENOENT', truncate(join(dir, 'absent'), 0));
  },

  'data: what one handle writes another reads at once': async (dir) => {
    const path = join(dir, 'file');
    await withFile(path, 'w', async (writer) => {
      await withFile(path, 'r', async (reader) => {
        for (const text of ['first', 'second', 'third!']) {
          await writer.write(text, 0);
          const { buffer, bytesRead } = await reader.read(Buffer.alloc(10), 0, 10, 0);
          assert.ok(buffer.toString('utf8', 0, bytesRead).startsWith(text));
        }
      });
    });
  },

  'data: fsync and fdatasync': async (dir) => {
    await withFile(join(dir, 'file'), 'w', async (handle) => {
      await handle.write('x');
      await handle.datasync();
      await handle.sync();
    });
    await withFile(dir, 'r', (handle) => handle.sync());
  },

  'data: O_DIRECT': async (dir) => {
    const out = await python(
      `
path = sys.argv[1]
size = 1 << 20
area = mmap.mmap(-1, size)
area.write(bytes(range(256)) * (size // 256))
fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o644)
assert os.pwritev(fd, [area], 0) == size
assert os.pwritev(fd, [area], size) == size
back = mmap.mmap(-1, size)
assert os.preadv(fd, [back], size) == size
assert back[:] == area[:]
assert os.preadv(fd, [back], 2 * size) == 0
os.close(fd)
print(os.stat(path).st_size)
`,
      join(dir, 'direct'),
    );
    assert.equal(Number(out), 2 * MIB);
  },

  'data: mapped privately and read': async (dir) => {
    const path = join(dir, 'mapped');
    await writeFile(path, pattern(100_000));
    const out = await python(
      `
with open(sys.argv[1], 'rb') as f:
  area = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
  sys.stdout.write(area[:].hex())
`,
      path,
    );
    assertSameBytes(Buffer.from(out, 'hex'), pattern(100_000));
  },

  'data: mapped shared and written': async (dir) => {
    const path = join(dir, 'mapped');
    await writeFile(path, Buffer.alloc(100_000));
    await python(
      `
with open(sys.argv[1], 'r+b') as f:
  area = mmap.mmap(f.fileno(), 0)
  area[5:10] = b'hello'
  area[99990:100000] = b'0123456789'
  area.flush()
  area.close()
`,
      path,
    );
    const content = await readFile(path);
    assert.equal(content.toString('utf8', 5, 10), 'hello');
    assert.equal(content.toString('utf8', 99_990), '0123456789');
    assert.equal(content.length, 100_000);
  },

  'data: mapped through a handle with O_APPEND and written': async (dir) => {
    const path = join(dir, 'mapped');
    await writeFile(path, pattern(10_000));
    await python(
      `
fd = os.open(sys.argv[1], os.O_RDWR | os.O_APPEND)
area = mmap.mmap(fd, 10000)
area[5:10] = b'hello'
area.flush()
os.write(fd, b'end')
area[0:1] = b'!'
os.close(fd)
area.close()
`,
      path,
    );
    const wanted = Buffer.concat([pattern(10_000), Buffer.from('end')]);
    wanted.write('hello', 5);
    wanted.write('!', 0);
    assertSameBytes(await readFile(path), wanted);
  },

  'data: SEEK_DATA and SEEK_HOLE keep their promises': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, pattern(100_000));
    const out = await python(
      `
fd = os.open(sys.argv[1], os.O_RDONLY)
print(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 0, os.SEEK_HOLE), os.lseek(fd, 0, os.SEEK_END))
try:
  os.lseek(fd, 200000, os.SEEK_DATA)
except OSError as e:
  print(errno.errorcode[e.errno])
`,
      path,
    );
    assert.deepEqual(out.split(/\s+/).filter(Boolean), ['0', '100000', '100000', 'ENXIO']);
  },

  'data: copy_file_range within the mount': async (dir) => {
    await writeFile(join(dir, 'from'), pattern(300_000));
    await python(
      `
a = os.open(sys.argv[1], os.O_RDONLY)
b = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT, 0o644)
left = 300000
while left > 0:
  n = os.copy_file_range(a, b, left)
  assert n > 0
  left -= n
`,
      join(dir, 'from'),
      join(dir, 'to'),
    );
    assertSameBytes(await readFile(join(dir, 'to')), pattern(300_000));
  },

  'data: posix_fallocate makes the file at least that long': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, 'start');
    await python(
      `
fd = os.open(sys.argv[1], os.O_RDWR)
os.posix_fallocate(fd, 0, 50000)
`,
      path,
    );
    const content = await readFile(path);
    assert.equal(content.length, 50_000);
    assert.equal(content.toString('utf8', 0, 5), 'start');
  },
};
