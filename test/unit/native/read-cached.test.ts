import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { makeTempDir } from '../../support/temp-dir.js';

test('readCached: what was just written, up to the end; errors are told', () => {
  const binding = loadNativeBinding();
  assert.ok(!(binding instanceof Error));
  const file = path.join(makeTempDir(), 'file');
  const content = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
  writeFileSync(file, content);
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(65_536);
    const read = (length: number, position: number): Buffer | undefined => {
      const count = binding.readCached(fd, buffer, length, position);
      return count < 0 ? undefined : buffer.subarray(0, count);
    };
    // A file system may have no such read; one that has it gives what was asked for.
    const first = read(1000, 0);
    if (first) {
      assert.deepEqual(first, content.subarray(0, 1000));
      assert.deepEqual(read(65_536, 50_000), content.subarray(50_000));
      assert.equal(read(10, 100_000)?.length, 0);
      assert.equal(read(0, 0)?.length, 0);
    }
    assert.throws(() => binding.readCached(fd, buffer, buffer.length + 1, 0), RangeError);
    assert.throws(() => binding.readCached(fd, buffer, -1, 0), RangeError);
    assert.throws(() => binding.readCached(fd, buffer, 10, -5), { code: 'EINVAL' });
  } finally {
    closeSync(fd);
  }
  assert.throws(() => binding.readCached(fd, Buffer.alloc(10), 10, 0), { code: 'EBADF' });
});
