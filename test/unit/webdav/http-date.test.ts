import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatHttpDate, formatIsoDate, parseDate } from '../../../src/webdav/http-date.js';

test('reads every form that RFC 9110 and RFC 3339 have', () => {
  for (const text of [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    '1994-11-06T08:49:37Z',
    '1994-11-06t08:49:37z',
    '1994-11-06T09:49:37+01:00',
    '1994-11-06T00:49:37-0800',
    '  Sun, 06 Nov 1994 08:49:37 GMT\n',
  ]) {
    assert.deepEqual(parseDate(text), { sec: 784111777, nsec: 0 }, text);
  }
  assert.deepEqual(parseDate('1994-11-06T08:49:37.000000001Z'), { sec: 784111777, nsec: 1 });
  assert.deepEqual(parseDate('1994-11-06T08:49:37.5Z'), { sec: 784111777, nsec: 500_000_000 });
});

test('reads times before 1970 and after 2038', () => {
  assert.deepEqual(parseDate('Fri, 01 Jan 1960 00:00:00 GMT'), { sec: -315619200, nsec: 0 });
  assert.deepEqual(parseDate('2100-01-01T00:00:00Z'), { sec: 4102444800, nsec: 0 });
});

test('what is no date is none', () => {
  for (const text of [
    '',
    'yesterday',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 25:49:37 GMT',
    '1994-13-06T08:49:37Z',
    '1994-11-06T08:49:37',
    '784111777',
  ]) {
    assert.equal(parseDate(text), undefined, text);
  }
});

test('what is formatted is read back', () => {
  const seed = Date.now() % 1_000_000;
  fc.assert(
    fc.property(fc.integer({ min: -2_000_000_000, max: 8_000_000_000 }), (sec) => {
      assert.deepEqual(parseDate(formatHttpDate({ sec, nsec: 0 })), { sec, nsec: 0 });
    }),
    { seed },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: -2_000_000_000, max: 8_000_000_000 }),
      fc.nat(999_999_999),
      (sec, nsec) => {
        assert.deepEqual(parseDate(formatIsoDate({ sec, nsec })), { sec, nsec });
      },
    ),
    { seed },
  );
});
