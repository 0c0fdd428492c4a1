import assert from 'node:assert/strict';
import { lstatSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { makeTempDir } from '../../support/temp-dir.js';

test('setmtime: to the nanosecond, before 1970, of a link itself', () => {
  const binding = loadNativeBinding();
  assert.ok(!(binding instanceof Error));
  const file = path.join(makeTempDir(), 'file');
  const link = `${file}.link`;
  writeFileSync(file, '');
  symlinkSync(file, link);
  const { atimeNs } = statSync(file, { bigint: true });
  binding.setmtime(file, 1_700_000_000, 123_456_789);
  binding.setmtime(link, -1, 500_000_000);
  const stat = statSync(file, { bigint: true });
  assert.deepEqual([stat.mtimeNs, stat.atimeNs], [1_700_000_000_123_456_789n, atimeNs]);
  assert.equal(lstatSync(link, { bigint: true }).mtimeNs, -500_000_000n);
  assert.throws(() => binding.setmtime(`${file}.none`, 0, 0), { code: 'ENOENT' });
  assert.throws(() => binding.setmtime(file, 0, 1_000_000_000), RangeError);
});
