/** The path operations of the fuse-native bridge, called as the package calls them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { PathOperations } from '../../../src/fuse/path-operations.js';
import { silentLogger } from '../../../src/log.js';
import { MemoryFileSystem } from '../../support/memory-file-system.js';
import { SeededRandom } from '../../support/seeded-random.js';

function make() {
  const fs = new MemoryFileSystem();
  const { signal } = new AbortController();
  const operations = new PathOperations(fs, silentLogger, signal);
  const call = (name: string, ...args: unknown[]): Promise<unknown[]> =>
    new Promise((resolve) => {
      operations.table[name]!((result, ...values) => resolve([result, ...values]), ...args);
    });
  return { fs, operations, call };
}

describe('path operations', () => {
  test('handles are small numbers from 1, and released ones are unknown', async () => {
    const { call } = make();
    const [, handle] = await call('create', '/file', 0o100644);
    assert.equal(handle, 1);
    const data = Buffer.from('hello');
    assert.deepEqual((await call('write', '/file', handle, data, 5, 0, 0))[0], 5);
    const room = Buffer.alloc(10);
    assert.equal((await call('read', '/file', handle, room, 10, 1, 0))[0], 4);
    assert.equal(room.toString('utf8', 0, 4), 'ello');
    assert.deepEqual(await call('release', '/file', handle), [0]);
    assert.equal((await call('read', '/file', handle, room, 10, 0, 0))[0], -9);
    assert.equal((await call('release', '/file', handle))[0], -9);
  });

  test('an extended attribute that does not fit is ERANGE, never more than the room', async () => {
    const { call } = make();
    await call('mkdir', '/dir', 0o755);
    const value = Buffer.from('value of it');
    assert.equal((await call('setxattr', '/dir', 'user.x', value, 0, 0))[0], 0);
    const get = async (size: number) =>
      (await call('getxattr', '/dir', 'user.x', Buffer.alloc(size)))[0];
    assert.deepEqual([await get(0), await get(5), await get(11)], [11, -34, 11]);
    const list = async (size: number) => (await call('listxattr', '/dir', Buffer.alloc(size)))[0];
    assert.deepEqual([await list(0), await list(6), await list(7)], [7, -34, 7]);
  });

  test('a file opened and unlinked is told by its handle', async () => {
    const { call } = make();
    const [, handle] = await call('create', '/file', 0o100644);
    await call('unlink', '/file');
    assert.equal((await call('fgetattr', '/file', handle))[0], 0);
    assert.equal((await call('getattr', '/file'))[0], -2);
  });

  test('references are balanced whatever fails, and the end releases what is open', async () => {
    const random = new SeededRandom();
    console.log(`seed ${random.seed}`);
    const { fs, operations, call } = make();
    const path = (): string => `/${'abc'[random.between(0, 3)]!}/${'xyz'[random.between(0, 3)]!}`;
    for (const folder of ['/a', '/b']) await call('mkdir', folder, 0o755);
    const handles: unknown[] = [];
    const steps: (() => Promise<unknown>)[] = [
      () => call('mkdir', path(), 0o755),
      () => call('rmdir', path()),
      () => call('unlink', path()),
      () => call('rename', path(), path()),
      () => call('link', path(), path()),
      () => call('symlink', 'target', path()),
      () => call('getattr', path()),
      () => call('truncate', path(), 5, 0),
      () => call('readdir', '/a'),
      async () => handles.push((await call('create', path(), 0o100644))[1]),
      async () => handles.push((await call('open', path(), 0))[1]),
      () => call('release', '/', handles.pop() ?? 99),
    ];
    for (let turn = 0; turn < 2_000; turn += 1) {
      await Promise.all([0, 1, 2].map(() => steps[random.between(0, steps.length)]!()));
    }
    await operations.releaseAll();
    assert.equal(fs.openHandles, 0);
    assert.equal(fs.references, 0);
  });
});
