import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { MEMBER_FIELDS, MemberState } from '../../../src/share/member-state.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { binding, openFds, throwsCode } from './helpers.js';

const { O_RDONLY, O_DIRECTORY } = fs.constants;

function openFolder(t: TestContext): { dir: string; fd: number } {
  const dir = makeTempDir();
  const fd = fs.openSync(dir, O_RDONLY | O_DIRECTORY);
  t.after(() => fs.closeSync(fd));
  return { dir, fd };
}

const newRow = (): BigInt64Array => new BigInt64Array(MEMBER_FIELDS);

test('statAt: what lstat says', (t) => {
  const { dir, fd } = openFolder(t);
  fs.writeFileSync(path.join(dir, 'file'), 'content');
  fs.chownSync(path.join(dir, 'file'), 12, 34);
  fs.symlinkSync('file', path.join(dir, 'link'));
  fs.mkdirSync(path.join(dir, 'folder'));
  const odd = Buffer.from([0x61, 0xff]);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), odd]), '');
  for (const name of ['file', 'link', 'folder', odd, '']) {
    const row = newRow();
    assert.equal(binding.statAt(fd, name, row), true);
    const state = new MemberState(row, 0);
    const real = fs.lstatSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(name)]), {
      bigint: true,
    });
    for (const key of ['mode', 'nlink', 'size', 'ino', 'dev', 'uid', 'gid'] as const) {
      assert.equal(state[key], real[key], key);
    }
    for (const key of ['mtimeNs', 'ctimeNs', 'birthtimeNs'] as const) {
      assert.equal(state[key], real[key], key);
    }
  }
});

test('statAt: nothing there is no error, anything else is', (t) => {
  const { fd } = openFolder(t);
  assert.equal(binding.statAt(fd, 'absent', newRow()), false);
  throwsCode(() => binding.statAt(fd, 'x'.repeat(256), newRow()), 'ENAMETOOLONG');
  throwsCode(() => binding.statAt(-1, 'x', newRow()), 'EBADF');
  assert.throws(() => binding.statAt(fd, 'a\0b', newRow()), TypeError);
  assert.throws(() => binding.statAt(fd, 'a', new BigInt64Array(MEMBER_FIELDS - 1)), TypeError);
});

test('openBeneath: down, never up nor through a link', (t) => {
  const { dir, fd } = openFolder(t);
  fs.mkdirSync(path.join(dir, 'a/b'), { recursive: true });
  fs.symlinkSync('a', path.join(dir, 'link'));
  fs.symlinkSync('/', path.join(dir, 'root'));
  const opened = binding.openBeneath(fd, 'a/b', O_RDONLY | O_DIRECTORY);
  assert.equal(fs.fstatSync(opened).ino, fs.statSync(path.join(dir, 'a/b')).ino);
  fs.closeSync(opened);
  const before = openFds();
  const open = (to: string) => (): number => binding.openBeneath(fd, to, O_RDONLY);
  throwsCode(open('link/b'), 'ELOOP');
  throwsCode(open('root/etc'), 'ELOOP');
  throwsCode(open('root'), 'ELOOP');
  throwsCode(open('a/../../x'), 'EXDEV');
  throwsCode(open('/etc'), 'EXDEV');
  throwsCode(open('a/absent'), 'ENOENT');
  assert.equal(openFds(), before);
});

test('createAt and renameAt', (t) => {
  const { dir, fd } = openFolder(t);
  const made = binding.createAt(fd, 'new', 0o640);
  fs.writeSync(made, 'content');
  assert.equal(fs.readFileSync(path.join(dir, 'new'), 'utf8'), 'content');
  assert.equal(fs.fstatSync(made).mode & 0o777 & ~0o640, 0);
  fs.closeSync(made);
  throwsCode(() => binding.createAt(fd, 'new', 0o640), 'EEXIST');
  fs.symlinkSync('elsewhere', path.join(dir, 'link'));
  throwsCode(() => binding.createAt(fd, 'link', 0o640), 'EEXIST');
  fs.writeFileSync(path.join(dir, 'old'), 'old');
  binding.renameAt(fd, 'new', 'old');
  assert.deepEqual(fs.readdirSync(dir).sort(), ['link', 'old']);
  assert.equal(fs.readFileSync(path.join(dir, 'old'), 'utf8'), 'content');
  throwsCode(() => binding.renameAt(fd, 'new', 'x'), 'ENOENT');
});

test('readFileAt: a regular file of just that size, or nothing', (t) => {
  const { dir, fd } = openFolder(t);
  fs.writeFileSync(path.join(dir, 'file'), 'content');
  fs.symlinkSync('file', path.join(dir, 'link'));
  fs.mkdirSync(path.join(dir, 'folder'));
  execFileSync('mkfifo', [path.join(dir, 'fifo')]);
  const before = openFds();
  const bytes = Buffer.alloc(7);
  const row = newRow();
  assert.equal(binding.readFileAt(fd, 'file', bytes, row), 7);
  assert.equal(bytes.toString(), 'content');
  const { ino } = fs.lstatSync(path.join(dir, 'file'), { bigint: true });
  assert.equal(new MemberState(row, 0).ino, ino);
  for (const room of [0, 6, 8])
    assert.equal(binding.readFileAt(fd, 'file', Buffer.alloc(room), row), -1);
  // Opened, the FIFO would wait for a writer for ever.
  for (const other of ['link', 'folder', 'fifo', '']) {
    for (const room of [0, 4, 7]) {
      const read = (): number => binding.readFileAt(fd, other, Buffer.alloc(room), row);
      if (other === '') throwsCode(read, 'ENOENT');
      else assert.equal(read(), -1);
    }
  }
  throwsCode(() => binding.readFileAt(fd, 'absent', bytes, row), 'ENOENT');
  assert.equal(openFds(), before);
});
