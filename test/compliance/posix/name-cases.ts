import assert from 'node:assert/strict';
import {
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rmdir,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

import { failsWith, python, withFile, type PosixCases } from './tools.js';

const ODD_NAMES = [
  ' ',
  ' leading and trailing ',
  'new\nline',
  'tab\tbell\x07',
  '100%',
  '%41',
  '%2f',
  'a#b',
  'a?b=c&d',
  'back\\slash',
  'quote"\'`',
  'semi;colon:',
  '<xml>&amp;]]>',
  '-rf',
  '~',
  '...',
  '.hidden',
  '$(touch x)',
  '日本語',
  'emoji 👩‍👩‍👧‍👦 🜁',
  'NFC \u00e9',
  'NFD e\u0301',
  'right\u202eto left',
  '\ufeffbom',
  '\ufffd',
  'x'.repeat(255),
  'ü'.repeat(127),
];

export const NAME_CASES: PosixCases = {
  'names: odd ones can be made, listed, read, renamed and removed': async (dir) => {
    for (const name of ODD_NAMES) await writeFile(join(dir, name), name);
    assert.deepEqual(new Set(await readdir(dir)), new Set(ODD_NAMES));
    for (const name of ODD_NAMES) {
      assert.equal(await readFile(join(dir, name), 'utf8'), name);
      await rename(join(dir, name), join(dir, 'between'));
      await rename(join(dir, 'between'), join(dir, name));
      await unlink(join(dir, name));
    }
    assert.deepEqual(await readdir(dir), []);
  },

  'names: bytes that are not UTF-8': async (dir) => {
    const names = [
      Buffer.from([0x66, 0xff, 0xfe]),
      Buffer.from([0xc3]),
      Buffer.from([0xed, 0xa0, 0x80]),
    ];
    for (const name of names) {
      const path = Buffer.concat([Buffer.from(`${dir}/`), name]);
      await writeFile(path, 'x');
      const listed = await readdir(dir, { encoding: 'buffer' });
      assert.ok(listed.some((each) => each.equals(name)));
      assert.equal(await readFile(path, 'utf8'), 'x');
      await unlink(path);
    }
  },

  'names: 255 bytes are the limit': async (dir) => {
    await writeFile(join(dir, 'x'.repeat(255)), '');
    await failsWith('ENAMETOOLONG', writeFile(join(dir, 'x'.repeat(256)), ''));
    await failsWith('ENAMETOOLONG', mkdir(join(dir, 'ü'.repeat(128))));
  },

  'names: case matters': async (dir) => {
    await writeFile(join(dir, 'name'), 'lower');
    await writeFile(join(dir, 'NAME'), 'upper');
    assert.equal(await readFile(join(dir, 'name'), 'utf8'), 'lower');
  },

  'names: a path of nearly PATH_MAX': async (dir) => {
    let path = dir;
    while (path.length + 201 < 3_900) {
      path = join(path, 'd'.repeat(200));
      await mkdir(path);
    }
    await writeFile(join(path, 'file'), 'deep');
    assert.equal(await readFile(join(path, 'file'), 'utf8'), 'deep');
  },

  'rename: over a file replaces it': async (dir) => {
    await writeFile(join(dir, 'a'), 'a');
    await writeFile(join(dir, 'b'), 'b');
    const { ino } = await stat(join(dir, 'a'));
    await rename(join(dir, 'a'), join(dir, 'b'));
    assert.equal(await readFile(join(dir, 'b'), 'utf8'), 'a');
    assert.equal((await stat(join(dir, 'b'))).ino, ino);
    assert.deepEqual(await readdir(dir), ['b']);
  },

  'rename: into another folder, and folders too': async (dir) => {
    await mkdir(join(dir, 'from/inner'), { recursive: true });
    await mkdir(join(dir, 'to'));
    await writeFile(join(dir, 'from/inner/file'), 'x');
    await rename(join(dir, 'from/inner'), join(dir, 'to/moved'));
    assert.equal(await readFile(join(dir, 'to/moved/file'), 'utf8'), 'x');
    assert.deepEqual(await readdir(join(dir, 'from')), []);
    await failsWith('ENOENT', stat(join(dir, 'from/inner/file')));
  },

  'rename: what must fail': async (dir) => {
    await mkdir(join(dir, 'full'));
    await writeFile(join(dir, 'full/file'), '');
    await mkdir(join(dir, 'empty'));
    await writeFile(join(dir, 'file'), '');
    await failsWith('ENOENT', rename(join(dir, 'absent'), join(dir, 'x')));
    await failsWith('ENOTEMPTY', rename(join(dir, 'empty'), join(dir, 'full')));
    await failsWith('EISDIR', rename(join(dir, 'file'), join(dir, 'empty')));
    await failsWith('ENOTDIR', rename(join(dir, 'empty'), join(dir, 'file')));
    await failsWith('EINVAL', rename(join(dir, 'full'), join(dir, 'full/below')));
    await rename(join(dir, 'full'), join(dir, 'empty'));
    assert.deepEqual(await readdir(join(dir, 'empty')), ['file']);
  },

  'rename: an open file keeps its content': async (dir) => {
    await withFile(join(dir, 'a'), 'w+', async (handle) => {
      await handle.write('one');
      await rename(join(dir, 'a'), join(dir, 'b'));
      await handle.write('two', 3);
    });
    assert.equal(await readFile(join(dir, 'b'), 'utf8'), 'onetwo');
  },

  'rename: RENAME_NOREPLACE, RENAME_EXCHANGE': async (dir) => {
    await writeFile(join(dir, 'a'), 'a');
    await writeFile(join(dir, 'b'), 'b');
    const out = await python(
      `
libc = ctypes.CDLL(None, use_errno=True)
def rename(a, b, flags):
  r = libc.renameat2(-100, os.path.join(sys.argv[1], a).encode(), -100, os.path.join(sys.argv[1], b).encode(), flags)
  return 'ok' if r == 0 else errno.errorcode[ctypes.get_errno()]
print(rename('a', 'b', 1), rename('a', 'c', 1), rename('c', 'b', 2))
`,
      dir,
    );
    const [onto, free, exchange] = out.trim().split(' ');
    assert.equal(onto, 'EEXIST');
    assert.equal(free, 'ok');
    assert.ok(exchange === 'ok' || exchange === 'EINVAL', exchange);
    const swapped = exchange === 'ok';
    assert.equal(await readFile(join(dir, 'b'), 'utf8'), swapped ? 'a' : 'b');
  },

  'folders: mkdir and rmdir': async (dir) => {
    await mkdir(join(dir, 'sub'), 0o750);
    assert.equal((await stat(join(dir, 'sub'))).mode & 0o7777, 0o750);
    await failsWith('EEXIST', mkdir(join(dir, 'sub')));
    await failsWith('ENOENT', mkdir(join(dir, 'absent/sub')));
    await writeFile(join(dir, 'sub/file'), '');
    await failsWith('ENOTEMPTY', rmdir(join(dir, 'sub')));
    await failsWith('ENOTDIR', rmdir(join(dir, 'sub/file')));
    await failsWith('EISDIR', unlink(join(dir, 'sub')));
    await unlink(join(dir, 'sub/file'));
    await rmdir(join(dir, 'sub'));
    await failsWith('ENOENT', stat(join(dir, 'sub')));
  },

  'unlink: what must fail': async (dir) => {
    await failsWith('ENOENT', unlink(join(dir, 'absent')));
    await writeFile(join(dir, 'file'), '');
    await failsWith('ENOTDIR', unlink(join(dir, 'file/below')));
  },

  'symbolic links': async (dir) => {
    for (const target of ['file', '../elsewhere', '/etc/hostname', 'ü 👍', 't'.repeat(4_000)]) {
      await symlink(target, join(dir, 'link'));
      assert.equal(await readlink(join(dir, 'link')), target);
      const info = await lstat(join(dir, 'link'));
      assert.ok(info.isSymbolicLink());
      assert.equal(info.size, Buffer.byteLength(target));
      await failsWith('EEXIST', symlink('x', join(dir, 'link')));
      await unlink(join(dir, 'link'));
    }
    await symlink('loop', join(dir, 'loop'));
    await failsWith('ELOOP', readFile(join(dir, 'loop')));
  },

  'hard links': async (dir) => {
    await writeFile(join(dir, 'a'), 'one');
    await link(join(dir, 'a'), join(dir, 'b'));
    const [first, second] = [await stat(join(dir, 'a')), await stat(join(dir, 'b'))];
    assert.equal(first.nlink, 2);
    assert.equal(first.ino, second.ino);
    await writeFile(join(dir, 'b'), 'two');
    assert.equal(await readFile(join(dir, 'a'), 'utf8'), 'two');
    await unlink(join(dir, 'a'));
    assert.equal((await stat(join(dir, 'b'))).nlink, 1);
    await failsWith('EEXIST', link(join(dir, 'b'), join(dir, 'b')));
    await failsWith('ENOENT', link(join(dir, 'absent'), join(dir, 'c')));
  },
};
