import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeName } from '../../../src/names.js';
import {
  decodeSegment,
  encodeSegment,
  hrefSegments,
  isUnsafeName,
  toTarget,
} from '../../../src/webdav/href.js';

const strict = { rawDelimiters: false };
const phodav = { rawDelimiters: true };

test('targets are encoded and have no empty segments', () => {
  assert.equal(toTarget('', ''), '/');
  assert.equal(toTarget('/dav', ''), '/dav/');
  assert.equal(toTarget('/dav', '/a b/ü#?%'), '/dav/a%20b/%C3%BC%23%3F%25');
  assert.equal(toTarget('', '/d', true), '/d/');
  assert.equal(toTarget('', `/${decodeName(Buffer.from([0x62, 0xff]))}`), '/b%FF');
});

test('any name comes back from its encoding', () => {
  const seed = Date.now() % 1_000_000;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      const name = decodeName(Buffer.from(bytes));
      const encoded = encodeSegment(name);
      assert.match(encoded, /^[\x21-\x7e]*$/);
      assert.equal(decodeSegment(encoded), name);
    }),
    { seed },
  );
});

test('escapes are decoded once, broken ones stand for themselves', () => {
  assert.equal(decodeSegment('a%2520b'), 'a%20b');
  assert.equal(decodeSegment('50%'), '50%');
  assert.equal(decodeSegment('%zz%41'), '%zzA');
  assert.equal(decodeSegment('%ff'), '\udcff');
  assert.equal(decodeSegment('%c3%bc'), 'ü');
});

test('hrefs are absolute or paths', () => {
  assert.deepEqual(hrefSegments('http://h:1/a/b%20c/', strict), ['a', 'b%20c']);
  assert.deepEqual(hrefSegments('/a/b', strict), ['a', 'b']);
  assert.deepEqual(hrefSegments('/', strict), []);
  assert.deepEqual(hrefSegments('http://h', strict), []);
  assert.equal(hrefSegments('a/b', strict), undefined);
  assert.equal(hrefSegments('', strict), undefined);
  assert.deepEqual(hrefSegments('/a?x=/b#c', strict), ['a']);
  assert.deepEqual(hrefSegments('http://h/a?b#c', phodav), ['a?b#c']);
});

test('names that lead elsewhere are unsafe', () => {
  for (const name of ['', '.', '..', 'a/b', 'a\0b']) assert.ok(isUnsafeName(name), name);
  for (const name of ['...', ' ', 'a\\b', '~']) assert.ok(!isUnsafeName(name), name);
});
