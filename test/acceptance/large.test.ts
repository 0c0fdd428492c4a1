import assert from 'node:assert/strict';
import { mkdirSync, openSync, writeFileSync, writeSync, closeSync, ftruncateSync } from 'node:fs';
import { bash, python } from '../support/run.js';
import { scenario } from '../support/scenario.js';

const GIB = 1024 ** 3;

function makeSparse(served: string): void {
  const fd = openSync(`${served}/sparse`, 'w');
  ftruncateSync(fd, 5 * GIB);
  writeSync(fd, 'just over four', 4 * GIB + 1);
  writeSync(fd, 'the very end', 5 * GIB - 12);
  closeSync(fd);
}

const READ = `
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(fd).st_size
assert size == 5 << 30, size
assert os.pread(fd, 100, size - 12) == b'the very end'
assert os.pread(fd, 14, (4 << 30) + 1) == b'just over four'
assert os.pread(fd, 10, size) == b''`;

scenario(
  'a sparse file of 5 GiB, read at its end',
  { timeoutMs: 100_000, prepare: makeSparse, options: ['timeout=90'] },
  async ({ dir }) => {
    await python(READ, [`${dir}/sparse`], { timeoutMs: 90_000 });
  },
);

const COUNT = 10_000;
const nameOf = (index: number): string => `entry-${String(index).padStart(5, '0')}`;

function makeEntries(served: string): void {
  mkdirSync(`${served}/many`);
  for (let index = 0; index < COUNT; index++) {
    writeFileSync(`${served}/many/${nameOf(index)}`, String(index));
  }
}

scenario(
  'a folder of 10,000 entries',
  { timeoutMs: 90_000, prepare: makeEntries, options: ['timeout=60'] },
  async ({ dir, peer }) => {
    const listed = (await bash('LC_ALL=C ls -l "$1/many"', [dir], { timeoutMs: 60_000 })).stdout;
    const rows = listed.trimEnd().split('\n').slice(1);
    assert.equal(rows.length, COUNT);
    rows.forEach((row, index) => {
      const fields = row.split(/\s+/);
      assert.equal(fields.at(-1), nameOf(index));
      assert.equal(fields[4], String(String(index).length), row);
    });
    await bash('rm "$1"/many/entry-0??50; echo new > "$1/many/one more"', [dir]);
    const count = 'ls "$1/many" | wc -l';
    assert.equal((await bash(count, [dir], { timeoutMs: 60_000 })).stdout, '9901\n');
    assert.equal((await bash(count, [peer.dir])).stdout, '9901\n');
  },
);
