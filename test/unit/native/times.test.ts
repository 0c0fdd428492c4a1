import assert from 'node:assert/strict';
import { lstatSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { makeTempDir } from '../../support/temp-dir.js';

test('settimes: to the nanosecond, before 1970, each time for itself, of a link itself', () => {
  const binding = loadNativeBinding();
  assert.ok(!(binding instanceof Error));
  const file = path.join(makeTempDir(), 'file');
  const link = `${file}.link`;
  writeFileSync(file, '');
  symlinkSync(file, link);
  const { atimeNs } = statSync(file, { bigint: true });
  binding.settimes(file, 0, -1, 1_700_000_000, 123_456_789);
  binding.settimes(link, 0, -1, -1, 500_000_000);
  const stat = statSync(file, { bigint: true });
  assert.deepEqual([stat.mtimeNs, stat.atimeNs], [1_700_000_000_123_456_789n, atimeNs]);
  assert.equal(lstatSync(link, { bigint: true }).mtimeNs, -500_000_000n);
  binding.settimes(file, 1_600_000_000, 987_654_321, 0, -1);
  const later = statSync(file, { bigint: true });
  assert.deepEqual([later.mtimeNs, later.atimeNs], [stat.mtimeNs, 1_600_000_000_987_654_321n]);
  assert.throws(() => binding.settimes(`${file}.none`, 0, 0, 0, 0), { code: 'ENOENT' });
  assert.throws(() => binding.settimes(file, 0, -1, 0, 1_000_000_000), RangeError);
  assert.throws(() => binding.settimes(file, 0, -2, 0, 0), RangeError);
});
