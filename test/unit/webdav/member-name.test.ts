import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemberNames } from '../../../src/webdav/member-name.js';
import { PROMISES } from '../../../src/webdav/server-profile.js';
import type { ServerProfile } from '../../../src/webdav/types.js';
import { fixture, multistatus, readChunks, readText, response } from './read-multistatus.js';

function profile(name: ServerProfile['name']): ServerProfile {
  return { name, server: name, davClasses: new Set(['1']), ...PROMISES[name] };
}

function namesIn(file: string, collection: string, server: ServerProfile['name']) {
  const names = new MemberNames('', collection, profile(server));
  const places = readChunks([fixture(file)], { lenient: server === 'phodav' }).map((entry) =>
    names.place(entry),
  );
  return {
    selves: places.filter(({ kind }) => kind === 'self').length,
    strays: places.filter(({ kind }) => kind === 'stray').length,
    members: places.flatMap((place) => (place.kind === 'member' ? [place.name] : [])).sort(),
  };
}

test('phodav: names that it does not escape in hrefs', () => {
  assert.deepEqual(namesIn('phodav-odd-names.xml', '', 'phodav'), {
    selves: 1,
    strays: 0,
    members: [
      '50%',
      '50%d',
      'a',
      'a#b',
      'am&p',
      'bad\udcff',
      'ctl\x01x',
      'd#d',
      'd&d',
      'dir',
      'lt<gt>',
      'per%20cent',
      'q?r',
      `quote"'`,
      's',
      'sp ace',
      'uml-ü',
      'x%zz',
    ],
  });
});

test('phodav: collections whose own name it spoils', () => {
  const odd = ['&', '&#65;', 'T&C;%', 'a&b;c', 'a&lt;b', 'p%26q', 'x&amp;y'];
  for (const [file, collection] of [
    ['phodav-raw-ampersands.xml', '/d&d'],
    ['phodav-raw-references.xml', '/e&lt;e'],
  ] as const) {
    assert.deepEqual(namesIn(file, collection, 'phodav'), { selves: 1, strays: 0, members: odd });
  }
  assert.deepEqual(namesIn('phodav-hash-collection.xml', '/d#d', 'phodav'), {
    selves: 1,
    strays: 0,
    members: ['in'],
  });
});

test('phodav: a collection in one of the same name, both without href', () => {
  assert.deepEqual(namesIn('phodav-percent-collection.xml', '/50%d', 'phodav'), {
    selves: 1,
    strays: 0,
    members: ['50%d', 'y'],
  });
});

test('Apache: names escaped once', () => {
  assert.deepEqual(namesIn('apache-odd-names.xml', '', 'apache'), {
    selves: 1,
    strays: 0,
    members: [
      'a',
      'a#b',
      'am&p',
      'bad\udcff',
      'ctl\x01x',
      'lt<gt>',
      'per%20cent',
      'q?r',
      `quote"'`,
      'sub',
      'uml-ü',
    ],
  });
});

test('entries elsewhere are no members', () => {
  const hrefs = [
    '/dav/c/x',
    'http://other/dav/c/y/',
    '/dav/c/',
    '/dav/c',
    '/dav/c/../x',
    '/dav/c/x/y',
    '/dav/other',
    '/dav',
    '/etc/passwd',
    '/dav/c/%2e%2e',
    '/dav/c/a%2fb',
    '/dav/c/a%00b',
    '/dav/c//x',
    'x',
    '',
  ];
  const names = new MemberNames('/dav', '/c', profile('unknown'));
  const places = readText(multistatus(hrefs.map((href) => response(href)).join(''))).map((entry) =>
    names.place(entry),
  );
  assert.deepEqual(
    places.map((place) => (place.kind === 'member' ? place.name : place.kind)),
    ['x', 'y', 'self', 'self', ...Array<string>(11).fill('stray')],
  );
});

test('hrefs that look alike after the first are read like the first', () => {
  const names = new MemberNames('/base', '/a b', profile('davport'));
  const place = (href: string): string => {
    const entry = {
      href,
      status: undefined,
      properties: new Map(),
      refused: new Map(),
      condition: undefined,
    };
    const found = names.place(entry);
    return found.kind === 'member' ? `member ${found.name}` : found.kind;
  };
  for (let round = 0; round < 2; round++) {
    assert.equal(place('/base/a%20b/'), 'self');
    assert.equal(place('/base/a%20b/sub//'), 'member sub');
    assert.equal(place('/base/a%20b/x%2Fy'), 'stray');
    assert.equal(place('/base/a%20b/one%20two'), 'member one two');
    assert.equal(place('/base/a%20b/sub/'), 'member sub');
    assert.equal(place('/base/a%20b/sub/below'), 'stray');
    assert.equal(place('/base/a%20b/..'), 'stray');
    assert.equal(place('/base/a%20b/%2e%2e'), 'stray');
    assert.equal(place('/base/a%20b/name?query'), 'member name');
    assert.equal(place('/base/A%20b/other'), 'stray');
    assert.equal(place('http://host/base/a%20b/absolute'), 'member absolute');
    assert.equal(place('/base/a b/raw'), 'member raw');
    assert.equal(place('/base/a%20b//twice'), 'stray');
  }
});
