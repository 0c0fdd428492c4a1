/** SEARCH against a plain filter over what PROPFIND tells of the same files. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../support/seeded-random.js';
import { readMultistatus, startShare, type TestShare, type Told } from './fixture.js';
import { find } from './search-fixture.js';

type Truth = boolean | undefined;
type File = Told & { readonly content: string | undefined };
interface Clause {
  readonly xml: string;
  readonly holds: (file: File) => Truth;
}

const NAMES = ['a', 'ab', 'a.c', 'B.C', 'b_c', '100%', 'ä', 'Äb', 'c\\d', 'x'];
const TEXTS = ['', 'abc', 'ABC', 'x\0ab', 'äbc', 'a'];
const PROPERTIES = [
  'displayname',
  'getcontentlength',
  'getlastmodified',
  'getcontenttype',
  'color',
];

const escape = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const prop = (name: string): string =>
  `<prop>${name === 'color' ? '<P:color/>' : `<${name}/>`}</prop>`;

function and(values: readonly Truth[]): Truth {
  if (values.includes(false)) return false;
  return values.includes(undefined) ? undefined : true;
}

const not = (value: Truth): Truth => (value === undefined ? undefined : !value);

function valueOf(file: File, name: string): string | number | undefined {
  const text = file.found[name];
  if (text === undefined) return undefined;
  if (name === 'getcontentlength') return Number(text);
  return name === 'getlastmodified' ? Date.parse(text) : text;
}

function literalOf(name: string, literal: string): string | number {
  if (name === 'getcontentlength') return /^\d+$/.test(literal) ? Number(literal) : NaN;
  if (name !== 'getlastmodified') return literal;
  return literal.endsWith('GMT') ? Date.parse(literal) : NaN;
}

const COMPARE: Readonly<Record<string, (a: string | number, b: string | number) => boolean>> = {
  eq: (a, b) => a === b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
};

const comparison = fc
  .record({
    op: fc.constantFrom(...Object.keys(COMPARE)),
    name: fc.constantFrom(...PROPERTIES),
    literal: fc.constantFrom(
      ...NAMES,
      '0',
      '3',
      '4',
      'Sun, 09 Sep 2001 01:46:40 GMT',
      'text/x-c',
      'red',
    ),
  })
  .map(({ op, name, literal }): Clause => {
    return {
      xml: `<${op}>${prop(name)}<literal>${escape(literal)}</literal></${op}>`,
      holds: (file) => {
        const [value, operand] = [valueOf(file, name), literalOf(name, literal)];
        if (value === undefined || Number.isNaN(operand)) return undefined;
        return COMPARE[op]!(value, operand);
      },
    };
  });

const like = fc
  .record({
    parts: fc.array(fc.constantFrom('%', '_', '\\%', '\\_', '\\\\', 'a', 'B', '.', 'ä', 'c'), {
      maxLength: 5,
    }),
    caseless: fc.boolean(),
  })
  .map(({ parts, caseless }): Clause => {
    const source = parts.map((part) => (part === '%' ? '.*' : part === '_' ? '.' : quote(part)));
    const pattern = new RegExp(`^${source.join('')}$`, caseless ? 'isu' : 'su');
    const attribute = caseless ? ' caseless="yes"' : '';
    return {
      xml: `<like${attribute}>${prop('displayname')}<literal>${parts.join('')}</literal></like>`,
      holds: ({ found }) => pattern.test(found['displayname']!),
    };
  });

function quote(part: string): string {
  return part.replace(/^\\/, '').replace(/[.\\]/g, '\\$&');
}

const contains = fc.constantFrom('a', 'bc', 'ÄB', 'äb', 'B', 'zz').map((text): Clause => {
  return {
    xml: `<contains>${text}</contains>`,
    holds: ({ content }) => {
      if (content === undefined) return undefined;
      // Bytes: only letters of ASCII have two cases there.
      const fold = (one: string): string =>
        content.includes('\0')
          ? one.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
          : one.toLowerCase();
      return fold(content).includes(fold(text));
    },
  };
});

const simple = fc.oneof(
  comparison,
  like,
  contains,
  fc.constantFrom(...PROPERTIES).map((name): Clause => ({
    xml: `<is-defined>${prop(name)}</is-defined>`,
    holds: ({ found }) => found[name] !== undefined,
  })),
  fc.constant<Clause>({
    xml: '<is-collection/>',
    holds: ({ href }) => href.endsWith('/'),
  }),
);

const clause = fc.letrec<{ tree: Clause }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    simple,
    tie('tree').map(({ xml, holds }) => ({
      xml: `<not>${xml}</not>`,
      holds: (file: File) => not(holds(file)),
    })),
    fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map((clauses) => ({
      xml: `<and>${clauses.map(({ xml }) => xml).join('')}</and>`,
      holds: (file: File) => and(clauses.map(({ holds }) => holds(file))),
    })),
    fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map((clauses) => ({
      xml: `<or>${clauses.map(({ xml }) => xml).join('')}</or>`,
      holds: (file: File) => not(and(clauses.map(({ holds }) => not(holds(file))))),
    })),
  ),
})).tree;

async function fill(share: TestShare): Promise<File[]> {
  const contents = new Map<string, string>();
  for (const [index, name] of NAMES.entries()) {
    const folder = index % 3 === 0 ? [] : [`folder${index % 3}`];
    fs.mkdirSync(share.at(...folder), { recursive: true });
    for (const [at, text] of TEXTS.entries()) {
      const file = share.at(...folder, `${name}${at % 2 === 0 ? '' : at}`);
      fs.writeFileSync(file, text);
      if (index % 2 === 0) fs.utimesSync(file, 1_000_000_000, 1_000_000_000);
    }
  }
  const color =
    '<propertyupdate xmlns="DAV:"><set><prop><color xmlns="urn:davport:test">red</color></prop></set></propertyupdate>';
  await share.request('PROPPATCH', '/a', { body: color });
  const names = PROPERTIES.map((name) =>
    name === 'color' ? '<color xmlns="urn:davport:test"/>' : `<${name}/>`,
  );
  const body = `<propfind xmlns="DAV:"><prop>${names.join('')}</prop></propfind>`;
  const answer = await share.request('PROPFIND', '/', { headers: { depth: 'infinity' }, body });
  return readMultistatus(answer).map((told) => {
    const path = decodeURIComponent(told.href);
    if (path.endsWith('/')) return { ...told, content: undefined };
    if (!contents.has(path)) contents.set(path, fs.readFileSync(share.at(path), 'utf8'));
    return { ...told, content: contents.get(path) };
  });
}

test('a search finds what a filter over the listing finds', async (t) => {
  const share = await startShare();
  const files = await fill(share);
  assert.ok(files.length > 30);
  const { seed } = new SeededRandom();
  t.diagnostic(`TEST_SEED=${seed}`);
  let [some, none] = [0, 0];
  const property = fc.asyncProperty(clause, async ({ xml, holds }) => {
    const where = xml.replaceAll('<P:color/>', '<color xmlns="urn:davport:test"/>');
    const expected = files.filter((file) => holds(file) === true).map(({ href }) => href);
    const { hrefs, cut } = await find(share, { where });
    assert.deepEqual(hrefs.sort(), expected.sort());
    assert.equal(cut, false);
    if (expected.length > 0 && expected.length < files.length) some += 1;
    else none += 1;
  });
  await fc.assert(property, { seed, numRuns: 300, interruptAfterTimeLimit: 8000 });
  // Most of them must tell files apart, or the test shows nothing.
  assert.ok(some > 5, `${some} of ${some + none}`);
});
