import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseQuery } from '../../../src/cli/search-query.js';
import { UsageError } from '../../../src/errors.js';
import { searchBody } from '../../../src/webdav/search-body.js';
import { parseSearch } from '../../../src/share/search/query.js';
import { PROMISES } from '../../../src/webdav/server-profile.js';
import type { SearchCondition, ServerProfile } from '../../../src/webdav/types.js';
import { checkProperty } from '../../support/property.js';

const NOW = Date.UTC(2024, 5, 15, 12);

function where(query: string): SearchCondition | undefined {
  return parseQuery(query, NOW).where;
}

const name = (pattern: string): SearchCondition => ({ op: 'name', pattern });

test('words, patterns and quotation marks', () => {
  assert.deepEqual(where('report'), name('*report*'));
  assert.deepEqual(where('  a   b '), { op: 'and', operands: [name('*a*'), name('*b*')] });
  assert.deepEqual(where('"a  b"'), name('*a  b*'));
  assert.deepEqual(where('*.c'), name('*.c'));
  assert.deepEqual(where('"*.c"'), name('*\\*.c*'));
  assert.deepEqual(where('name:*.c'), name('*.c'));
  assert.deepEqual(where('name:"my file.*"'), name('my file.*'));
  assert.deepEqual(where('"name:x"'), name('*name:x*'));
  assert.deepEqual(where('"say \\"hi\\" \\\\"'), name('*say "hi" \\\\*'));
  assert.deepEqual(where('-old'), { op: 'not', operand: name('*old*') });
  assert.deepEqual(where('"-old"'), name('*-old*'));
  assert.deepEqual(where('-"a b"'), { op: 'not', operand: name('*a b*') });
  assert.deepEqual(where('-'), name('*-*'));
  assert.deepEqual(where('content:"-a: b"'), { op: 'content', text: '-a: b' });
});

test('sizes and types', () => {
  for (const [text, is, bytes] of [
    ['10', 'eq', 10],
    ['=10', 'eq', 10],
    ['<1k', 'lt', 1024],
    ['<=1KiB', 'lte', 1024],
    ['>1.5M', 'gt', 1.5 * 1024 ** 2],
    ['>=2GB', 'gte', 2 * 1024 ** 3],
    ['>1T', 'gt', 1024 ** 4],
  ] as const) {
    assert.deepEqual(where(`size:${text}`), { op: 'size', is, bytes }, text);
  }
  assert.deepEqual(where('type:file'), { op: 'type', type: 'file' });
  assert.deepEqual(where('type:dir'), { op: 'type', type: 'collection' });
  assert.deepEqual(where('type:link'), { op: 'type', type: 'link' });
});

test('ages and days', () => {
  const sec = NOW / 1000 - 7 * 86_400;
  for (const [text, is] of [
    ['7d', 'gte'],
    ['<1w', 'gt'],
    ['<=7d', 'gte'],
    ['>7d', 'lt'],
    ['>=168h', 'lte'],
  ] as const) {
    assert.deepEqual(where(`modified:${text}`), { op: 'modified', is, sec }, text);
  }
  const day = new Date(2024, 1, 29).getTime() / 1000;
  const next = new Date(2024, 2, 1).getTime() / 1000;
  const from: SearchCondition = { op: 'created', is: 'gte', sec: day };
  const until: SearchCondition = { op: 'created', is: 'lt', sec: next };
  for (const [text, expected] of [
    ['2024-02-29', { op: 'and', operands: [from, until] }],
    ['>=2024-02-29', from],
    ['>2024-02-29', { ...from, sec: next }],
    ['<2024-02-29', { ...until, sec: day }],
    ['<=2024-02-29', until],
  ] as const) {
    assert.deepEqual(where(`created:${text}`), expected, text);
  }
});

test('a folder to look in', () => {
  assert.deepEqual(parseQuery('in:a/b//c/ x', NOW), {
    where: name('*x*'),
    folder: ['a', 'b', 'c'],
  });
  assert.deepEqual(parseQuery('in:"a b"', NOW), { where: undefined, folder: ['a b'] });
});

test('what is wrong is said, with what to write instead', () => {
  for (const [query, says] of [
    ['', /for example/],
    ['  ', /for example/],
    ['""', /empty/],
    ['"open', /quotation mark/],
    ['siez:3', /did you mean size:/],
    ['http://x', /"http:\/\/x"/],
    ['size:', /no value/],
    ['size:big', /size:>10M/],
    ['size:9999999999999T', /too much/],
    ['modified:soon', /modified:<7d/],
    ['modified:2023-02-29', /modified:>=2024-05-01/],
    ['type:pipe', /file, dir or link/],
    ['in:../x', /leads up/],
    ['in:a in:b', /once/],
    ['-in:a', /never negated/],
  ] as const) {
    assert.throws(
      () => parseQuery(query, NOW),
      (error) => error instanceof UsageError && says.test(error.message),
      query,
    );
  }
});

test('any text is a query that servers take, or an error that says why', (t) => {
  const words = [
    'name:',
    'size:>',
    '5k',
    'modified:<',
    '3d',
    '-',
    '"',
    '\\',
    ' ',
    '*',
    'content:',
    'ä',
  ];
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((parts) => parts.join('')),
  );
  const profile: ServerProfile = {
    ...PROMISES.davport,
    name: 'davport',
    server: '',
    davClasses: new Set(),
  };
  checkProperty(
    t,
    fc.property(text, (query) => {
      let condition: SearchCondition | undefined;
      try {
        condition = where(query);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        return;
      }
      try {
        const select = [{ ns: 'DAV:', name: 'displayname' }];
        const given = { select, scope: '/', where: condition, limit: 1, profile };
        parseSearch(searchBody(given));
      } catch (error) {
        // Characters that XML can't say, or more text than a share takes.
        const { code = '', status } = error as { code?: string; status?: number };
        assert.ok(code === 'XML_INVALID' || status === 422, String(error));
      }
    }),
  );
});
