import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatPosixProperty,
  parsePosixProperty,
  posixOfVersion,
} from '../../../src/webdav/posix-property.js';

test('has the text that peers agreed on', () => {
  assert.equal(
    formatPosixProperty({
      mode: 0o100755,
      mtime: { sec: 1700000000, nsec: 1 },
      etag: 'W/"a b"',
    }),
    'mode=100755 mtime=1700000000.000000001 etag=W/"a%20b"',
  );
  assert.deepEqual(parsePosixProperty('mode=120777 target=a%20b/%C3%BC ino=12 nlink=1 new=x'), {
    mode: 0o120777,
    target: 'a b/ü',
    ino: 12,
    nlink: 1,
  });
});

test('what is formatted is read back', () => {
  const seed = Date.now() % 1_000_000;
  const text = fc.string({ unit: 'binary', minLength: 1 });
  // A name that is no UTF-8 keeps its bytes as lone surrogates.
  const target = fc
    .tuple(text, fc.constantFrom('', '\udc80', '\udcff'))
    .map((parts) => parts.join(''));
  const posix = fc.record(
    {
      mode: fc.nat(0o177777),
      mtime: fc.record(
        { sec: fc.integer({ min: -1e9, max: 2e9 }), nsec: fc.nat(999_999_999) },
        { noNullPrototype: true },
      ),
      etag: text,
      target,
      ino: fc.maxSafeNat(),
      nlink: fc.nat(),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  fc.assert(
    fc.property(posix, (value) => {
      assert.deepEqual(parsePosixProperty(formatPosixProperty(value)), { ...value });
    }),
    { seed },
  );
});

test('values that cannot be read are left out', () => {
  assert.deepEqual(parsePosixProperty('mode=9 mtime=x ino=-1 nlink=1e3 =x mode'), {});
  assert.deepEqual(parsePosixProperty(''), {});
  assert.deepEqual(parsePosixProperty('target=%zz'), { target: '%zz' });
});

test('of another version only the mode holds', () => {
  const posix = { mode: 0o100755, mtime: { sec: 1, nsec: 0 }, etag: '"1"' };
  assert.equal(posixOfVersion(posix, 'W/"1"'), posix);
  assert.deepEqual(posixOfVersion(posix, '"2"'), { mode: 0o100755 });
  assert.deepEqual(posixOfVersion(posix, undefined), { mode: 0o100755 });
  assert.equal(posixOfVersion({ mtime: { sec: 1, nsec: 0 }, etag: '"1"' }, '"2"'), undefined);
});

test('the usual text and the same in another order mean the same', () => {
  const fields = [
    'mode=100644',
    'mtime=-5.000000001',
    'atime=1700000000.120000000',
    'ino=7',
    'nlink=1',
  ];
  const expected = {
    mode: 0o100644,
    mtime: { sec: -5, nsec: 1 },
    atime: { sec: 1700000000, nsec: 120_000_000 },
    ino: 7,
    nlink: 1,
  };
  assert.deepEqual(parsePosixProperty(fields.join(' ')), expected);
  assert.deepEqual(parsePosixProperty(fields.toReversed().join(' ')), expected);
});
