/** The If header before a share with locks (RFC 4918 section 10.4). */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShareError } from '../../../src/share/errors.js';
import { parseIfHeader, type Condition, type IfList } from '../../../src/share/if-header.js';
import { checkProperty } from '../../support/property.js';
import { startShare } from './fixture.js';
import { mustLock } from './lock-client.js';

test('the If header: which lists let a locked file be written', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('f'), 'f');
  fs.writeFileSync(t.at('g'), 'g');
  const token = await mustLock(t, '/f');
  const other = await mustLock(t, '/g');
  const etag = String((await t.request('HEAD', '/g')).headers.etag);
  const cases: [string, number][] = [
    [`(<${token}>)`, 204],
    [`( <${token}> )`, 204],
    [`</f> (<${token}>)`, 204],
    [`<http://localhost/f> (<${token}>)`, 204],
    [`</f/> (<${token}>)`, 204],
    [`(<${other}>)`, 412],
    [`</g> (<${other}>)`, 423],
    [`</f> (<${other}>)`, 412],
    [`</g> (<${token}>)`, 412],
    [`(Not <${token}>)`, 412],
    [`(Not <${other}>)`, 423],
    ['(<urn:x>)', 412],
    ['(<DAV:no-lock>)', 412],
    ['(Not <DAV:no-lock>)', 423],
    [`(<${token}> ["none"])`, 412],
    [`(<${token}> Not ["none"])`, 204],
    // A token is submitted also in a list that does not hold.
    [`(<${token}> ["none"]) (Not <DAV:no-lock>)`, 204],
    [`(<${token}>) (<urn:x>)`, 204],
    [`</g> (<${other}> [${etag}]) </f> (<urn:x>)`, 423],
    [`</g> (<${other}> [${etag}]) </f> (<${token}>)`, 204],
    [`</none> (<${token}>)`, 412],
    [`</none> (Not <${token}>)`, 204],
    [`</../f> (<${token}>)`, 412],
    [`(<${token}>`, 400],
    [`<${token}>`, 400],
    [`</f> </g> (<${token}>)`, 400],
    [`(<${token}>) </f>`, 400],
    [`</f> (<${token}>) </g>`, 400],
    [`(<${token}>) </f> (<${token}>)`, 400],
  ];
  for (const [If, status] of cases) {
    const answer = await t.request('PUT', '/f', { headers: { If }, body: 'x' });
    assert.equal(answer.status, status, If);
  }
  // The conditions hold for reading as well.
  const folder = await mustLock(t, '/d', { depth: '0' });
  for (const [method, target, own] of [
    ['GET', '/f', token],
    ['HEAD', '/f', token],
    ['GET', '/d', folder],
    ['PROPFIND', '/f', token],
    ['PROPFIND', '/d', folder],
  ] as const) {
    const ask = (If: string) => t.request(method, target, { headers: { If, Depth: '0' } });
    assert.ok((await ask(`(<${own}>)`)).status < 300, `${method} ${target}`);
    assert.equal((await ask(`(<${other}>)`)).status, 412, `${method} ${target}`);
  }
});

const uri = fc.constantFrom('urn:uuid:1', 'DAV:no-lock', '/a', 'http://h/%20?(x)[y]', 'Not');
const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ kind: fc.constant('token' as const), not: fc.boolean(), token: uri }),
  fc.record({
    kind: fc.constant('etag' as const),
    not: fc.boolean(),
    etag: fc.constantFrom('"e"', '""', 'W/"e"', '"(<])>"'),
  }),
);
const conditions = fc.array(condition, { minLength: 1, maxLength: 4 });
const untagged: fc.Arbitrary<IfList[]> = fc.array(
  fc.record({ resource: fc.constant(undefined), conditions }),
  { minLength: 1, maxLength: 4 },
);
const tagged: fc.Arbitrary<IfList[]> = fc.array(fc.record({ resource: uri, conditions }), {
  minLength: 1,
  maxLength: 4,
});
const space = fc.constantFrom('', ' ', '\t', '  ');

function format(lists: readonly IfList[], gap: string): string {
  return lists
    .map(({ resource, conditions: all }) => {
      const list = all.map((one) => {
        const text = one.kind === 'token' ? `<${one.token}>` : `[${gap}${one.etag}${gap}]`;
        return one.not ? `Not${gap}${text}` : text;
      });
      const tag = resource === undefined ? '' : `<${resource}>${gap}`;
      return `${tag}(${gap}${list.join(gap)}${gap})`;
    })
    .join(gap);
}

test('every If header of the grammar is read as what it says', (t) => {
  checkProperty(
    t,
    fc.property(fc.oneof(untagged, tagged), space, (lists, gap) => {
      assert.deepEqual(parseIfHeader(format(lists, gap)), structuredClone(lists));
    }),
    1000,
  );
});

test('any other text is read as well, or refused with 400', (t) => {
  const piece = fc.constantFrom(...['(', ')', '<', '>', '[', ']', '"', 'Not', 'W/', 'x', ' ', '/']);
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((all) => all.join('')),
    fc.string(),
  );
  checkProperty(
    t,
    fc.property(text, (header) => {
      try {
        const lists = parseIfHeader(header);
        assert.ok(lists.length > 0 && lists.every((list) => list.conditions.length > 0));
      } catch (error) {
        assert.ok(error instanceof ShareError && error.status === 400, String(error));
      }
    }),
    1000,
  );
});
