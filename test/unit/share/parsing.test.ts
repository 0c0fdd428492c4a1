import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluateIf, parseIfHeader } from '../../../src/share/if-header.js';
import { parseRanges } from '../../../src/share/range.js';
import { parsePosix } from '../../../src/share/posix-text.js';
import {
  encodeSegment,
  formatHref,
  isWithin,
  parseTargetPath,
} from '../../../src/share/target-path.js';
import { SeededRandom } from '../../support/seeded-random.js';

const status = (expected: number) => (error: unknown) =>
  (error as { status?: number }).status === expected;

test('a target is decoded once', () => {
  assert.deepEqual(parseTargetPath('/'), { segments: [], trailingSlash: true });
  assert.deepEqual(parseTargetPath('/a%20b/c%2525/'), {
    segments: ['a b', 'c%25'],
    trailingSlash: true,
  });
  assert.deepEqual(parseTargetPath('http://host:9/x/y?q=/../').segments, ['x', 'y']);
  assert.deepEqual(parseTargetPath('http://host').segments, []);
  assert.deepEqual(parseTargetPath('//a///b').segments, ['a', 'b']);
  assert.deepEqual(parseTargetPath('/%C3%A4/\u00c3\u00a4').segments, ['ä', 'ä']);
  assert.deepEqual(parseTargetPath('/%ff%C3').segments, ['\udcff\udcc3']);
});

test('targets that could mean another place are refused', () => {
  const targets = ['/..', '/a/../b', '/%2e%2E/x', '/.', '/a%2Fb', '/a%00', '/%', '/%4', '/%zz'];
  for (const target of [...targets, 'x', '', '*', '/a#b', 'http:/x', '/.%2e']) {
    assert.throws(() => parseTargetPath(target), status(400), target);
  }
});

test('names go into hrefs and back, whatever bytes they have', () => {
  const random = new SeededRandom();
  const odd = ['ä b', 'a%20', '#?&<>"\'', '\udcff.txt', '💾', '%', '\x01\x7f', '...', 'a;b=c,d'];
  for (let round = 0; round < 500; round++) {
    let name = '';
    for (let length = random.between(1, 9); length > 0; length--) {
      name += String.fromCodePoint(random.between(1, 0x300));
    }
    odd.push(name.replaceAll('/', '_'));
  }
  for (const name of odd.filter((candidate) => candidate !== '.' && candidate !== '..')) {
    const href = formatHref([name, 'x'], true);
    assert.match(href, /^[\x21-\x7e]+$/, `seed ${random.seed}`);
    assert.deepEqual(parseTargetPath(href).segments, [name, 'x'], `seed ${random.seed}`);
    assert.doesNotMatch(encodeSegment(name), /[&<>"#?]/);
  }
});

test('isWithin compares whole names', () => {
  assert.equal(isWithin(['a'], ['a', 'b']), true);
  assert.equal(isWithin(['a'], ['a']), true);
  assert.equal(isWithin(['a'], ['ab']), false);
  assert.equal(isWithin(['a', 'b'], ['a']), false);
  assert.equal(isWithin([], ['a']), true);
});

test('ranges', () => {
  const cases: [string | undefined, number, string | [start: number, end: number][]][] = [
    [undefined, 10, 'whole'],
    ['bytes=0-', 10, [[0, 10]]],
    ['bytes=2-4', 10, [[2, 5]]],
    [' BYTES= 2-4 ', 10, [[2, 5]]],
    ['bytes=2-400', 10, [[2, 10]]],
    [`bytes=2-${'9'.repeat(400)}`, 10, [[2, 10]]],
    ['bytes=9-9', 10, [[9, 10]]],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=10-,12-13,-0', 10, 'unsatisfiable'],
    ['bytes=-3', 10, [[7, 10]]],
    ['bytes=-30', 10, [[0, 10]]],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-1', 0, 'unsatisfiable'],
    ['bytes=4-2', 10, 'whole'],
    ['bytes=1-2,4-2', 10, 'whole'],
    ['lines=1-2', 10, 'whole'],
    ['bytes=x-2', 10, 'whole'],
    ['bytes=-', 10, 'whole'],
    ['bytes=', 10, 'whole'],
    ['bytes=,', 10, 'whole'],
    ['bytes=5000000000-', 6_000_000_000, [[5_000_000_000, 6_000_000_000]]],
    // Several: those outside are left out, close and overlapping ones are one, at its first place.
    ['bytes=1-2,4-5', 10, [[1, 6]]],
    [
      'bytes= 0-0 , ,-1',
      1000,
      [
        [0, 1],
        [999, 1000],
      ],
    ],
    [
      'bytes=900-,0-99,5000-',
      1000,
      [
        [900, 1000],
        [0, 100],
      ],
    ],
    ['bytes=500-599,0-99,50-549', 1000, [[0, 600]]],
    ['bytes=0-0,500-500,1-', 1000, [[0, 1000]]],
    [
      'bytes=600-699,0-99,300-399,550-610',
      1000,
      [
        [550, 700],
        [0, 100],
        [300, 400],
      ],
    ],
    [`bytes=${'0-,'.repeat(5000)}`, 1000, [[0, 1000]]],
    [
      `bytes=${Array.from({ length: 256 }, (_, at) => `${at * 1000}-${at * 1000}`).join()}`,
      1e9,
      Array.from({ length: 256 }, (_, at) => [at * 1000, at * 1000 + 1]),
    ],
    [
      `bytes=${Array.from({ length: 257 }, (_, at) => `${at * 1000}-${at * 1000}`).join()}`,
      1e9,
      'whole',
    ],
  ];
  for (const [header, size, expected] of cases) {
    const parsed = parseRanges(header, size);
    const told = typeof parsed === 'string' ? parsed : parsed.map(({ start, end }) => [start, end]);
    assert.deepEqual(told, expected, header);
  }
});

test('If header: lists, tags, Not', () => {
  const own = { etag: '"a"', hasToken: (token: string) => token === 'urn:t' };
  const other = { etag: undefined, hasToken: () => false };
  const holds = (header: string): boolean =>
    evaluateIf(parseIfHeader(header), (resource) => (resource === undefined ? own : other));
  const cases: [string, boolean][] = [
    ['(["a"])', true],
    ['(["b"])', false],
    ['([W/"a"])', false],
    ['(Not ["b"])', true],
    ['(["b"]) (["a"])', true],
    ['(["a"] ["b"])', false],
    ['(<urn:t>)', true],
    ['(<urn:x>)', false],
    ['(<urn:t> ["a"])(<urn:x>)', true],
    ['(Not <DAV:no-lock>)', true],
    ['</other> (["a"])', false],
    ['</other> (Not ["a"])', true],
    ['<http://h/other> (["a"]) (Not <urn:t>)', true],
    ['</one> (["a"]) </two> (["b"])', false],
  ];
  for (const [header, expected] of cases) assert.equal(holds(header), expected, header);
});

test('If header: what is none is refused', () => {
  const bad = [
    '',
    'x',
    '(',
    '()',
    '(["a"]',
    '["a"]',
    '(Not)',
    '(Not Not ["a"])',
    '(["a"]) </x> y',
    '</x> </y> (["a"])',
    '</x> (["a"]) </y>',
  ];
  for (const header of [...bad, '</x>', '(["a"]) </x> (["b"])', '(["a)', '([a])', '(("a"))']) {
    assert.throws(() => parseIfHeader(header), status(400), header);
  }
});

test('posix values: what is known and well-formed', () => {
  assert.deepEqual(parsePosix('mode=100755 mtime=1.5 color=red'), {
    mode: 0o100755,
    mtime: { sec: 1, nsec: 500_000_000 },
  });
  assert.deepEqual(parsePosix(''), {});
  for (const bad of ['mode=9', 'mtime=x', 'mode=', 'a=b mtime=1.0000000001']) {
    assert.throws(() => parsePosix(bad), status(400), bad);
  }
});
