import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePropfind } from '../../../src/share/propfind-request.js';
import { parsePropertyUpdate } from '../../../src/share/property-update.js';
import { parseXml } from '../../../src/share/xml-reader.js';
import { escapeXml, formatContent } from '../../../src/share/xml-text.js';

const status = (expected: number) => (error: unknown) =>
  (error as { status?: number }).status === expected;

test('hostile and ill-formed XML is refused', () => {
  const deep = '<a>'.repeat(40) + '</a>'.repeat(40);
  const documents = [
    '',
    'x',
    '<a>',
    '<a></b>',
    '<a/><b/>',
    '<p:a/>',
    '<a xmlns:p=""/>',
    '<!DOCTYPE a><a/>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a>&unknown;</a>',
    '<a b="1" b="2"/>',
    '<a>\x01</a>',
    deep,
    `<a>${'<b/>'.repeat(20_000)}</a>`,
    `<a ${Array.from({ length: 20_000 }, (_, at) => `a${at}=""`).join(' ')}/>`,
  ];
  for (const document of documents) {
    assert.throws(() => parseXml(Buffer.from(document)), status(400), document.slice(0, 40));
  }
  assert.throws(() => parseXml(Buffer.from([0x3c, 0x61, 0xff, 0x3e])), status(400));
});

test('what refers to something elsewhere is refused with the condition that says so', () => {
  for (const doctype of [
    'a SYSTEM "file:///etc/passwd"',
    'a PUBLIC "-//x" "http://elsewhere.example/x.dtd"',
    'a [<!ENTITY x SYSTEM "file:///etc/passwd">]',
  ]) {
    assert.throws(
      () => parseXml(Buffer.from(`<!DOCTYPE ${doctype}><a/>`)),
      (error: { status?: number; condition?: unknown }) => {
        assert.equal(error.status, 403);
        assert.deepEqual(error.condition, { ns: 'DAV:', name: 'no-external-entities' });
        return true;
      },
    );
  }
});

test('UTF-8 and UTF-16 are read', () => {
  const text = '<?xml version="1.0"?><a xmlns="urn:x">é</a>';
  const bodies = [
    Buffer.from(text),
    Buffer.from('\ufeff' + text),
    Buffer.from('\ufeff' + text, 'utf16le'),
    Buffer.from('\ufeff' + text, 'utf16le').swap16(),
  ];
  for (const body of bodies) {
    assert.deepEqual(parseXml(body), { ns: 'urn:x', name: 'a', attributes: [], children: ['é'] });
  }
});

test('element content means the same after a round trip', () => {
  const source =
    '<v xmlns:q="urn:q" xml:lang="de">text &amp; <q:b q:c="1&quot;" d="&#10;"><e xmlns="urn:e"/></q:b><![CDATA[<x>]]></v>';
  const value = parseXml(Buffer.from(source));
  const again = parseXml(Buffer.from(`<v xml:lang="de">${formatContent(value)}</v>`));
  assert.deepEqual(flat(again), flat(value));
  function flat(node: unknown): string {
    return JSON.stringify(node).replaceAll('","', '');
  }
});

test('text that XML cannot carry is replaced, the rest escaped', () => {
  assert.equal(escapeXml('a<b>&"\r\x01\udcffc'), 'a&lt;b&gt;&amp;&quot;&#13;\ufffd\ufffdc');
  assert.equal(escapeXml('plain ä 💾'), 'plain ä 💾');
});

test('propfind bodies', () => {
  const parse = (text: string): unknown => parsePropfind(Buffer.from(text));
  assert.deepEqual(parse(''), { kind: 'allprop', include: [] });
  assert.deepEqual(parse('<propfind xmlns="DAV:"><propname/></propfind>'), { kind: 'propname' });
  assert.deepEqual(
    parse('<D:propfind xmlns:D="DAV:"><D:prop><D:a/><b xmlns="urn:b"/></D:prop></D:propfind>'),
    {
      kind: 'prop',
      names: [
        { ns: 'DAV:', name: 'a' },
        { ns: 'urn:b', name: 'b' },
      ],
    },
  );
  const bad = [
    '<propfind/>',
    '<x xmlns="DAV:"/>',
    '<propfind xmlns="DAV:"/>',
    '<propfind xmlns="DAV:"><prop/><allprop/></propfind>',
  ];
  for (const body of bad) assert.throws(() => parse(body), status(400), body);
});

test('propertyupdate bodies keep their order', () => {
  const body =
    '<propertyupdate xmlns="DAV:"><set><prop><a/></prop></set><remove><prop><a/><b/></prop></remove></propertyupdate>';
  const instructions = parsePropertyUpdate(Buffer.from(body));
  assert.deepEqual(
    instructions.map(({ name, element }) => [name, element !== undefined]),
    [
      ['a', true],
      ['a', false],
      ['b', false],
    ],
  );
  for (const bad of [
    '<propertyupdate xmlns="DAV:"/>',
    '<propertyupdate xmlns="DAV:"><set/></propertyupdate>',
  ]) {
    assert.throws(() => parsePropertyUpdate(Buffer.from(bad)), status(400));
  }
});
