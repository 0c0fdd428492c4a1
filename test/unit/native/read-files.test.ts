import assert from 'node:assert/strict';
import fs from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { run } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { binding, openFds } from './helpers.js';

const { EFBIG, EINVAL, ELOOP, ENOENT } = constants.errno;
/** Linux's own; node:constants has it not. */
const O_PATH = 0x200000;

async function readFiles(
  folder: string,
  names: readonly string[],
  { room = 65_536, rows = 100, limitMs = 10_000 } = {},
): Promise<{ count: number; contents: (string | number)[] }> {
  const fd = fs.openSync(folder, O_PATH | fs.constants.O_DIRECTORY);
  try {
    const [bytes, lengths] = [Buffer.alloc(room), new Int32Array(rows)];
    const all = Buffer.from(names.map((name) => `${name}\0`).join(''));
    const count = await binding.readFiles(fd, all, bytes, lengths, limitMs);
    let start = 0;
    const contents = Array.from(lengths.subarray(0, count), (length) =>
      length < 0 ? -length : bytes.toString('latin1', start, (start += length)),
    );
    return { count, contents };
  } finally {
    fs.closeSync(fd);
  }
}

test('readFiles: contents one behind the other; an errno for what has none', async () => {
  const dir = makeTempDir();
  fs.writeFileSync(path.join(dir, 'one'), 'first');
  fs.writeFileSync(path.join(dir, 'empty'), '');
  fs.writeFileSync(path.join(dir, 'two'), 'second');
  fs.writeFileSync(path.join(dir, 'large'), Buffer.alloc(65_536));
  fs.mkdirSync(path.join(dir, 'folder'));
  fs.symlinkSync('one', path.join(dir, 'link'));
  // To open it would wait for somebody who writes.
  await run('mkfifo', [path.join(dir, 'fifo')]);
  const names = ['one', 'absent', 'empty', 'folder', 'link', 'fifo', 'large', 'two'];
  const before = openFds();
  const { contents } = await readFiles(dir, names);
  const expected = ['first', ENOENT, '', EINVAL, ELOOP, EINVAL, EFBIG, 'second'];
  assert.deepEqual(contents, expected);
  // Node closes some of its own.
  assert.ok(openFds() <= before);
});

test('readFiles: stops where there is no room or no time, after one file at least', async () => {
  const dir = makeTempDir();
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(path.join(dir, name), name.repeat(10));
  const names = ['a', 'b', 'c'];
  const [a, b] = ['a'.repeat(10), 'b'.repeat(10)];
  // One byte more than all have: it is asked for to see their end.
  assert.deepEqual((await readFiles(dir, names, { room: 31 })).count, 3);
  assert.deepEqual((await readFiles(dir, names, { room: 30 })).contents, [a, b]);
  assert.deepEqual((await readFiles(dir, names, { room: 11 })).contents, [a]);
  assert.deepEqual((await readFiles(dir, names, { room: 10 })).contents, [EFBIG, EFBIG, EFBIG]);
  assert.deepEqual((await readFiles(dir, names, { rows: 2 })).contents, [a, b]);
  assert.deepEqual((await readFiles(dir, names, { rows: 0 })).count, 0);
  assert.deepEqual((await readFiles(dir, names, { limitMs: 0 })).contents, [a]);
});

test('readFiles: names that are no UTF-8, many calls at once', async () => {
  const dir = makeTempDir();
  const odd = Buffer.from([0xff, 0x41]);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), odd]), 'odd');
  const fd = fs.openSync(dir, 'r');
  const reads = Array.from({ length: 50 }, async () => {
    const [bytes, lengths] = [Buffer.alloc(100), new Int32Array(1)];
    const names = Buffer.concat([odd, Buffer.alloc(1)]);
    assert.equal(await binding.readFiles(fd, names, bytes, lengths, 0), 1);
    return bytes.toString('latin1', 0, lengths[0]);
  });
  assert.deepEqual(new Set(await Promise.all(reads)), new Set(['odd']));
  fs.closeSync(fd);
});

test('readFiles: refuses what it can not work with', () => {
  const [names, bytes, lengths] = [Buffer.from('x\0'), Buffer.alloc(10), new Int32Array(1)];
  const read = (...given: unknown[]): unknown =>
    (binding.readFiles as (...given: unknown[]) => unknown)(...given);
  assert.throws(() => read('x', names, bytes, lengths, 0), TypeError);
  assert.throws(() => read(0, 'x\0', bytes, lengths, 0), TypeError);
  assert.throws(() => read(0, names, bytes, new Uint8Array(4), 0), TypeError);
  assert.throws(() => read(0, Buffer.from('x'), bytes, lengths, 0), RangeError);
  assert.throws(() => read(0, Buffer.alloc(0), bytes, lengths, 0), RangeError);
});
