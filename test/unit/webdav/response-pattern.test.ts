import assert from 'node:assert/strict';
import test from 'node:test';
import { learnPattern } from '../../../src/webdav/response-pattern.js';
import { multistatus, readChunks, readText, response } from './read-multistatus.js';

const FOUND = '<D:getetag>"1"</D:getetag><D:getcontentlength>1</D:getcontentlength>';
const refused = (names: string): string =>
  `<D:propstat><D:prop>${names}</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>`;
const withPropstat = (text: string, propstat: string, first = false): string =>
  first
    ? text.replace('<D:propstat>', `${propstat}<D:propstat>`)
    : text.replace('</D:response>', `${propstat}</D:response>`);

const folder = '<D:resourcetype><D:collection/></D:resourcetype>';
const KINDS: readonly ((at: number) => string)[] = [
  (at) => response(`/file-${at}`, `<D:resourcetype/>${FOUND.replaceAll('1', String(at))}`),
  (at) => withPropstat(response(`/d-${at}/`, folder), refused('<D:getcontentlength/>')),
  (at) => withPropstat(response(`/f-${at}`, FOUND), refused('<D:a/><D:b/>'), true),
  (at) => response(`/a&amp;b-${at}`, '<D:getetag>&lt;&#13;</D:getetag>'),
  (at) => response(` /space-${at} `, `<D:getetag> ${at} </D:getetag><x:y xmlns:x="z">${at}</x:y>`),
  (at) => response(`/q-${at}`, `<x:y xmlns:x="a>b" ${at % 2 ? '' : 'c="d"'}>${at}</x:y>`),
  (at) => response(`/n-${at}`, `<D:source><D:href>/${at % 3}</D:href></D:source>`),
  (at) => response(`/c-${at}`, `<D:getetag><!-- ${at} --><![CDATA[<${at}]]></D:getetag>`),
  (at) =>
    `<D:response><D:href>/gone-${at}</D:href><D:status>HTTP/1.1 403 No</D:status></D:response>`,
  (at) => response(`/empty-${at}`, '<D:getetag></D:getetag>'),
];

test('responses read by a pattern are what reading them tag by tag gives', () => {
  const mixed = Array.from({ length: 400 }, (_, at) =>
    KINDS[(at * 7 + (at >> 3)) % KINDS.length]!(at),
  );
  const alone = KINDS.map((kind) => [1, 2, 3, 10].map(kind));
  for (const [at, responses] of [...alone, mixed].entries()) {
    // Patterns are kept by the root's tag.
    const text = multistatus(responses.join('\n')).replace('DAV:"', `DAV:" xmlns:u="${at}"`);
    const byTags = readChunks(Array.from(Buffer.from(text), (byte) => Buffer.of(byte)));
    assert.equal(byTags.length, responses.length);
    assert.deepEqual(readText(text), byTags);
    assert.deepEqual(readText(text), byTags, 'again, with the patterns of the first time');
  }
});

test('a pattern takes nothing that is not wholly there, or not well-formed', () => {
  const first = KINDS[0]!(1);
  const pattern = learnPattern(first, readText(multistatus(first))[0]!)!;
  const second = KINDS[0]!(2345);
  assert.equal(pattern.read(second, 0)?.href, '/file-2345');
  for (let end = 0; end < second.length; end++) {
    assert.equal(pattern.read(second.slice(0, end), 0), undefined);
  }
  for (const broken of ['2345<', '2345&amp;', '2345&', '2345\r', '2345>', '2345\0', '2345\x1b']) {
    assert.equal(pattern.read(second.replace('/file-2345', broken), 0), undefined);
  }
  assert.throws(() => readText(multistatus(`${first}${first}${second.replace('</D:href>', '')}`)));
});
