import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { MEMBER_FIELDS, MemberState } from '../../../src/share/member-state.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { binding, openFds, ROOT, throwsCode } from './helpers.js';

const { O_RDONLY, O_DIRECTORY } = fs.constants;

function openFolder(t: TestContext): { dir: string; fd: number } {
  const dir = makeTempDir();
  const fd = fs.openSync(dir, O_RDONLY | O_DIRECTORY);
  t.after(() => fs.closeSync(fd));
  return { dir, fd };
}

const newRow = (): BigInt64Array => new BigInt64Array(MEMBER_FIELDS);
const newRows = (): BigInt64Array => new BigInt64Array(2 * MEMBER_FIELDS);

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

test('findBeneath: down, never up nor through a link', (t) => {
  const { dir, fd } = openFolder(t);
  fs.mkdirSync(path.join(dir, 'a/b'), { recursive: true });
  fs.symlinkSync('a', path.join(dir, 'link'));
  fs.symlinkSync('/', path.join(dir, 'root'));
  const opened = binding.findBeneath(fd, 'a/b', O_RDONLY | O_DIRECTORY, 'absent', newRow());
  assert.equal(fs.fstatSync(opened).ino, fs.statSync(path.join(dir, 'a/b')).ino);
  fs.closeSync(opened);
  const before = openFds();
  const open = (to: string) => (): number => binding.findBeneath(fd, to, O_RDONLY, 'b', newRow());
  throwsCode(open('link/b'), 'ELOOP');
  throwsCode(open('root/etc'), 'ELOOP');
  throwsCode(open('root'), 'ELOOP');
  throwsCode(open('a/../../x'), 'EXDEV');
  throwsCode(open('/etc'), 'EXDEV');
  throwsCode(open('a/absent'), 'ENOENT');
  assert.equal(openFds(), before);
});

test('findBeneath: what the name is in the folder', (t) => {
  const { dir, fd } = openFolder(t);
  fs.mkdirSync(path.join(dir, 'a'));
  fs.writeFileSync(path.join(dir, 'a/file'), 'content');
  fs.symlinkSync('file', path.join(dir, 'a/link'));
  const find = (name: string): MemberState => {
    const row = newRow();
    fs.closeSync(binding.findBeneath(fd, 'a', O_RDONLY | O_DIRECTORY, name, row));
    return new MemberState(row, 0);
  };
  assert.equal(find('file').ino, fs.lstatSync(path.join(dir, 'a/file'), { bigint: true }).ino);
  assert.ok(find('link').isSymbolicLink());
  assert.ok(find('absent').isMissing);
  assert.ok(find('x'.repeat(256)).isUnknown);
});

const CONTENT = Buffer.from('content');

test('createAt: a new file with its content', (t) => {
  const { dir, fd } = openFolder(t);
  const made = binding.createAt(fd, 'new', 0o640, CONTENT, 'other', newRows());
  t.after(() => fs.closeSync(made));
  assert.equal(fs.readFileSync(path.join(dir, 'new'), 'utf8'), 'content');
  assert.equal(fs.fstatSync(made).mode & 0o777 & ~0o640, 0);
  fs.writeSync(made, ', and more');
  assert.equal(fs.readFileSync(path.join(dir, 'new'), 'utf8'), 'content, and more');
  const odd = Buffer.from([0x61, 0xff]);
  fs.closeSync(binding.createAt(fd, odd, 0o640, Buffer.alloc(0), 'other', newRows()));
  assert.ok(fs.readdirSync(dir, { encoding: 'buffer' }).some((name) => name.equals(odd)));
});

test('createAt: the state of another name, and where that is something, the own', (t) => {
  const { dir, fd } = openFolder(t);
  const rows = newRows();
  fs.closeSync(binding.createAt(fd, 'first', 0o640, CONTENT, 'other', rows));
  assert.ok(new MemberState(rows, 0).isMissing);
  fs.writeFileSync(path.join(dir, 'other'), 'longer content');
  fs.closeSync(binding.createAt(fd, 'second', 0o640, CONTENT, 'other', rows));
  for (const [row, name] of ['other', 'second'].entries()) {
    const { ino, size, mode } = fs.lstatSync(path.join(dir, name), { bigint: true });
    const state = new MemberState(rows, row);
    assert.deepEqual([state.ino, state.size, state.mode], [ino, size, mode], name);
  }
});

test('createAt: what is there stays, and a failure leaves nothing', (t) => {
  const { dir, fd } = openFolder(t);
  const create = (folder: number, name: string) => (): number =>
    binding.createAt(folder, name, 0o640, CONTENT, 'other', newRows());
  fs.writeFileSync(path.join(dir, 'old'), 'old');
  fs.symlinkSync('elsewhere', path.join(dir, 'link'));
  fs.mkdirSync(path.join(dir, 'folder'));
  const before = openFds();
  for (const name of ['old', 'link', 'folder']) throwsCode(create(fd, name), 'EEXIST');
  throwsCode(create(fd, 'absent/new'), 'ENOENT');
  throwsCode(create(fd, 'x'.repeat(256)), 'ENAMETOOLONG');
  throwsCode(create(-1, 'new'), 'EBADF');
  assert.throws(create(fd, 'a\0b'), TypeError);
  assert.equal(openFds(), before);
  assert.deepEqual(fs.readdirSync(dir).sort(), ['folder', 'link', 'old']);
  assert.equal(fs.readFileSync(path.join(dir, 'old'), 'utf8'), 'old');
});

test('createAt: a write that fails leaves no file', () => {
  // In a process of its own, for the limit is one of the process.
  const program = `
    const binding = require(process.argv[1]);
    const fs = require('node:fs');
    const fd = fs.openSync(process.argv[2], fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    process.on('SIGXFSZ', () => undefined);
    const before = fs.readdirSync('/proc/self/fd').length;
    try {
      const states = new BigInt64Array(${2 * MEMBER_FIELDS});
      binding.createAt(fd, 'new', 0o640, Buffer.alloc(65536), 'other', states);
    } catch (error) {
      const after = fs.readdirSync('/proc/self/fd').length;
      console.log(error.code, after - before);
    }`;
  const dir = makeTempDir();
  const limited = ['-c', 'ulimit -f 8; exec "$@"', 'sh', process.execPath];
  const addon = path.join(ROOT, `native/build/davport-${process.arch}.node`);
  const said = execFileSync('sh', [...limited, '-e', program, addon, dir], { encoding: 'utf8' });
  assert.equal(said, 'EFBIG 0\n');
  assert.deepEqual(fs.readdirSync(dir), []);
});

test('createAt: in a folder that was swapped or removed', (t) => {
  const { dir } = openFolder(t);
  fs.mkdirSync(path.join(dir, 'folder'));
  const folder = fs.openSync(path.join(dir, 'folder'), O_RDONLY | O_DIRECTORY);
  t.after(() => fs.closeSync(folder));
  fs.renameSync(path.join(dir, 'folder'), path.join(dir, 'moved'));
  fs.symlinkSync('/', path.join(dir, 'folder'));
  const create = (): number => binding.createAt(folder, 'new', 0o640, CONTENT, 'other', newRows());
  fs.closeSync(create());
  assert.deepEqual(fs.readdirSync(path.join(dir, 'moved')), ['new']);
  fs.rmSync(path.join(dir, 'moved'), { recursive: true });
  throwsCode(create, 'ENOENT');
});

const RENAME_NOREPLACE = 1;

/** What was renamed is opened first. */
function renameAt(
  { dir, fd }: { dir: string; fd: number },
  [from, to]: readonly [string, string],
  { flags = 0, beside = '', row = newRow() } = {},
): boolean {
  const opened = fs.openSync(path.join(dir, from), O_RDONLY);
  try {
    return binding.renameAt(fd, from, to, flags, opened, beside, row);
  } catch (error) {
    fs.closeSync(opened);
    throw error;
  }
}

test('renameAt: the state afterwards; the descriptor is closed when it is done', (t) => {
  const folder = openFolder(t);
  const { dir, fd } = folder;
  fs.writeFileSync(path.join(dir, 'new'), 'content');
  fs.writeFileSync(path.join(dir, 'old'), 'old');
  const row = newRow();
  const before = openFds();
  assert.equal(renameAt(folder, ['new', 'old'], { row }), false);
  assert.equal(openFds(), before);
  const { ino, size, ctimeNs } = fs.lstatSync(path.join(dir, 'old'), { bigint: true });
  const state = new MemberState(row, 0);
  assert.deepEqual([state.ino, state.size, state.ctimeNs], [ino, size, ctimeNs]);
  assert.deepEqual(fs.readdirSync(dir), ['old']);
  fs.mkdirSync(path.join(dir, 'folder'));
  throwsCode(() => binding.renameAt(fd, 'absent', 'x', 0, -1, '', row), 'ENOENT');
  throwsCode(() => renameAt(folder, ['old', 'folder']), 'EISDIR');
  throwsCode(() => renameAt(folder, ['old', '/proc/x']), 'EXDEV');
  assert.equal(openFds(), before);
  assert.equal(fs.readFileSync(path.join(dir, 'old'), 'utf8'), 'content');
});

test('renameAt: never over something when that is not wanted', (t) => {
  const folder = openFolder(t);
  const { dir } = folder;
  fs.writeFileSync(path.join(dir, 'new'), 'content');
  fs.symlinkSync('nowhere', path.join(dir, 'link'));
  throwsCode(() => renameAt(folder, ['new', 'link'], { flags: RENAME_NOREPLACE }), 'EEXIST');
  assert.deepEqual(fs.readdirSync(dir).sort(), ['link', 'new']);
  renameAt(folder, ['new', 'free'], { flags: RENAME_NOREPLACE });
  assert.deepEqual(fs.readdirSync(dir).sort(), ['free', 'link']);
});

test('renameAt: whether there is something beside', (t) => {
  const folder = openFolder(t);
  fs.writeFileSync(path.join(folder.dir, 'a'), '');
  fs.mkdirSync(path.join(folder.dir, 'folder'));
  assert.equal(renameAt(folder, ['a', 'b'], { beside: 'folder' }), true);
  assert.equal(renameAt(folder, ['b', 'a'], { beside: 'absent' }), false);
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
