import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { makeTempDir } from '../../support/temp-dir.js';
import { binding, throwsCode } from './helpers.js';

let folder = '';
before(() => {
  folder = makeTempDir();
});

test('attributes are set, read, listed and removed', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const value = Buffer.from([0, 1, 255, 0]);
  assert.equal(binding.getxattr(file, 'user.one'), undefined);
  binding.setxattr(file, 'user.one', value);
  binding.setxattr(file, 'user.empty', new Uint8Array(0));
  assert.deepEqual(binding.getxattr(file, 'user.one'), value);
  assert.deepEqual(binding.getxattr(file, 'user.empty'), Buffer.alloc(0));
  const own = binding.listxattr(file).filter((name) => name.startsWith('user.'));
  assert.deepEqual(own.sort(), ['user.empty', 'user.one']);
  binding.removexattr(file, 'user.one');
  assert.equal(binding.getxattr(file, 'user.one'), undefined);
  throwsCode(() => binding.removexattr(file, 'user.one'), 'ENODATA');
});

test('a path of bytes that are no UTF-8', () => {
  const path = Buffer.concat([Buffer.from(join(folder, 'x')), Buffer.of(0xff)]);
  writeFileSync(path, '');
  binding.setxattr(path, 'user.one', Buffer.from('v'));
  assert.equal(binding.getxattr(path, 'user.one')?.toString(), 'v');
});

test('symbolic links are not followed', () => {
  const file = join(folder, 'target');
  const link = join(folder, 'link');
  writeFileSync(file, '');
  binding.setxattr(file, 'user.one', Buffer.from('v'));
  symlinkSync('target', link);
  // A link can't have attributes of users; what matters is that those of its target are not seen.
  assert.equal(binding.getxattr(link, 'user.one'), undefined);
  assert.ok(!binding.listxattr(link).includes('user.one'));
  throwsCode(() => binding.setxattr(link, 'user.two', Buffer.from('v')), 'EPERM');
});

test('errors are those of the system calls', () => {
  throwsCode(() => binding.getxattr(join(folder, 'absent'), 'user.one'), 'ENOENT');
  throwsCode(() => binding.listxattr(join(folder, 'absent')), 'ENOENT');
  throwsCode(() => binding.setxattr(folder, 'nonsense', Buffer.alloc(1)), 'ENOTSUP');
  throwsCode(() => binding.setxattr(folder, 'user.big', Buffer.alloc(65537)), 'E2BIG');
  throwsCode(() => binding.getxattr('x'.repeat(5000), 'user.one'), 'ENAMETOOLONG');
});
