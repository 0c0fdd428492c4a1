import assert from 'node:assert/strict';
import { constants as C } from 'node:fs';
import { mkdir, open, readFile, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { failsWith, withFile, type PosixCases } from './tools.js';

export const OPEN_CASES: PosixCases = {
  'open: every combination of flags': async (dir) => {
    for (const access of [C.O_RDONLY, C.O_WRONLY, C.O_RDWR]) {
      for (const create of [0, C.O_CREAT, C.O_CREAT | C.O_EXCL]) {
        for (const truncate of [0, C.O_TRUNC]) {
          for (const append of [0, C.O_APPEND]) {
            for (const exists of [false, true]) {
              await checkFlags(dir, { access, create, truncate, append, exists });
            }
          }
        }
      }
    }
  },

  'open: O_EXCL on a symbolic link, also a dangling one': async (dir) => {
    await symlink('nowhere', join(dir, 'link'));
    const flags = C.O_CREAT | C.O_EXCL | C.O_WRONLY;
    await failsWith('EEXIST', open(join(dir, 'link'), flags));
    await failsWith('ENOENT', stat(join(dir, 'nowhere')));
  },

  'open: creating through a dangling symbolic link makes the target': async (dir) => {
    await symlink('target', join(dir, 'link'));
    await writeFile(join(dir, 'link'), 'x');
    assert.equal(await readFile(join(dir, 'target'), 'utf8'), 'x');
  },

  'open: O_DIRECTORY and O_NOFOLLOW': async (dir) => {
    await writeFile(join(dir, 'file'), '');
    await symlink('file', join(dir, 'link'));
    await mkdir(join(dir, 'sub'));
    await failsWith('ENOTDIR', open(join(dir, 'file'), C.O_RDONLY | C.O_DIRECTORY));
    await failsWith('ELOOP', open(join(dir, 'link'), C.O_RDONLY | C.O_NOFOLLOW));
    await failsWith('EISDIR', open(join(dir, 'sub'), C.O_WRONLY));
    await withFile(join(dir, 'sub'), C.O_RDONLY | C.O_DIRECTORY, async (handle) => {
      assert.ok((await handle.stat()).isDirectory());
    });
  },

  'open: a file as a folder is ENOTDIR, an absent one ENOENT': async (dir) => {
    await writeFile(join(dir, 'file'), '');
    await failsWith('ENOTDIR', open(join(dir, 'file/below'), 'r'));
    await failsWith('ENOENT', open(join(dir, 'absent/below'), 'r'));
    await failsWith('ENOENT', open(join(dir, 'absent'), 'r'));
  },

  'open: O_APPEND writes at the end, also after somebody else wrote': async (dir) => {
    const path = join(dir, 'log');
    await withFile(path, C.O_WRONLY | C.O_CREAT | C.O_APPEND, async (handle) => {
      await handle.write('one');
      await writeFile(path, 'two', { flag: 'a' });
      await handle.write('three', 0);
    });
    assert.equal(await readFile(path, 'utf8'), 'onetwothree');
  },

  'open: O_TRUNC empties for all': async (dir) => {
    const path = join(dir, 'file');
    await writeFile(path, 'content');
    await withFile(path, 'r', async (reader) => {
      await withFile(path, C.O_WRONLY | C.O_TRUNC, async () => undefined);
      assert.equal((await reader.stat()).size, 0);
      assert.equal((await reader.readFile()).length, 0);
    });
  },

  'open: an unlinked file stays readable and writable': async (dir) => {
    const path = join(dir, 'file');
    await withFile(path, 'w+', async (handle) => {
      await handle.write('before');
      await unlink(path);
      await handle.write('after', 6);
      assert.equal((await handle.stat()).nlink, 0);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0);
      assert.equal(buffer.toString('utf8', 0, bytesRead), 'beforeafter');
      await handle.truncate(3);
      assert.equal((await handle.stat()).size, 3);
    });
    await failsWith('ENOENT', stat(path));
  },

  'open: a new file may take the name of an unlinked open one': async (dir) => {
    const path = join(dir, 'file');
    await withFile(path, 'w+', async (old) => {
      await old.write('old');
      await unlink(path);
      await writeFile(path, 'new');
      assert.equal((await old.read(Buffer.alloc(3), 0, 3, 0)).buffer.toString(), 'old');
    });
    assert.equal(await readFile(path, 'utf8'), 'new');
  },
};

interface Flags {
  readonly access: number;
  readonly create: number;
  readonly truncate: number;
  readonly append: number;
  readonly exists: boolean;
}

/** open(2): what each combination must do. */
async function checkFlags(dir: string, given: Flags): Promise<void> {
  const path = join(dir, 'flags');
  if (given.exists) await writeFile(path, 'content');
  const label = JSON.stringify(given);
  const flags = given.access | given.create | given.truncate | given.append;
  const exclusive = (given.create & C.O_EXCL) !== 0;
  if (given.exists && exclusive) {
    await failsWith('EEXIST', open(path, flags));
    return unlink(path);
  }
  if (!given.exists && given.create === 0) return failsWith('ENOENT', open(path, flags));
  await withFile(path, flags, (handle) => checkHandle(handle, given, label));
  await unlink(path);
}

async function checkHandle(
  handle: Awaited<ReturnType<typeof open>>,
  given: Flags,
  label: string,
): Promise<void> {
  const expected = given.exists && given.truncate === 0 ? 'content' : '';
  // Linux lets O_RDONLY | O_TRUNC truncate; POSIX leaves it open.
  assert.equal((await handle.stat()).size, expected.length, label);
  if (given.access === C.O_WRONLY) await failsWith('EBADF', handle.read(Buffer.alloc(9), 0, 9, 0));
  else {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(9), 0, 9, 0);
    assert.equal(buffer.toString('utf8', 0, bytesRead), expected, label);
  }
  if (given.access === C.O_RDONLY) await failsWith('EBADF', handle.write('X', 0));
  else {
    await handle.write('X', 0);
    const grows = given.append !== 0 || expected === '';
    assert.equal((await handle.stat()).size, expected.length + (grows ? 1 : 0), label);
  }
}
