import assert from 'node:assert/strict';
import { test } from 'node:test';
import { XmlError } from '../../../src/webdav/types.js';
import { XmlScanner, type XmlOptions } from '../../../src/webdav/xml-scanner.js';

function scan(document: string | Buffer, options: XmlOptions = {}): string[] {
  const events: string[] = [];
  const scanner = new XmlScanner(
    {
      open: (name) => events.push(`<${name.ns}|${name.local}`),
      text: (text) => {
        if (events.at(-1)?.startsWith('"') === true) events.push(`${events.pop() ?? ''}${text}`);
        else events.push(`"${text}`);
      },
      close: (name) => events.push(`/${name.local}`),
    },
    options,
  );
  scanner.write(Buffer.from(document));
  scanner.end();
  return events;
}

test('names are told with their namespaces', () => {
  assert.deepEqual(scan('<a xmlns="urn:1"><p:b xmlns:p="urn:2"/><b/></a>'), [
    '<urn:1|a',
    '<urn:2|b',
    '/b',
    '<urn:1|b',
    '/b',
    '/a',
  ]);
  assert.deepEqual(scan('<D:a xmlns:D="x"><D:a xmlns:D="y"/><D:a/></D:a>'), [
    '<x|a',
    '<y|a',
    '/a',
    '<x|a',
    '/a',
    '/a',
  ]);
  assert.deepEqual(scan('<a xmlns="urn:1"><b xmlns=""/></a>'), ['<urn:1|a', '<|b', '/b', '/a']);
});

test('references, CDATA, comments and instructions are read as XML has them', () => {
  assert.deepEqual(scan('<a>1 &lt; 2 &amp;&#x20AC;&#65;<![CDATA[<&>]]></a>'), [
    '<|a',
    '"1 < 2 &€A<&>',
    '/a',
  ]);
  assert.deepEqual(
    scan('\ufeff<?xml version="1.0"?><!-- x --><?go on?><a><!--<b>--></a><!-- y -->\n'),
    ['<|a', '/a'],
  );
  assert.deepEqual(scan('<a>x\r\ny\rz</a>'), ['<|a', '"x\ny\nz', '/a']);
  assert.deepEqual(scan(`<a b='>' c=">"/>`), ['<|a', '/a']);
});

const HOSTILE: Readonly<Record<string, string | Buffer>> = {
  nothing: '',
  'white space only': ' \n',
  'a cut tag': '<a><b',
  'a cut element': '<a><b/>',
  'cut text': '<a>te',
  'a cut comment': '<a><!-- ',
  'a cut CDATA section': '<a><![CDATA[ x',
  'a cut character': Buffer.concat([Buffer.from('<a/>'), Buffer.of(0xe2, 0x82)]),
  'wrong nesting': '<a><b></a></b>',
  'an end tag too many': '<a/></a>',
  'two roots': '<a/><b/>',
  'text after the root': '<a/>x',
  'text before the root': 'x<a/>',
  'a DTD': '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
  'entity expansion': '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
  'an unknown entity': '<a>&nbsp;</a>',
  'a bare ampersand': '<a>a & b</a>',
  'a reference to NUL': '<a>&#0;</a>',
  'a reference to a surrogate': '<a>&#xD800;</a>',
  'a reference beyond Unicode': '<a>&#x110000;</a>',
  'an undeclared prefix': '<p:a/>',
  'an undeclared prefix of an attribute': '<a p:b="1"/>',
  'a prefix declared empty': '<a xmlns:p=""/>',
  'the xmlns namespace bound': '<a xmlns:p="http://www.w3.org/2000/xmlns/"/>',
  'the xml prefix bound elsewhere': '<a xmlns:xml="urn:x"/>',
  'an attribute twice': '<a b="1" b="2"/>',
  'an attribute without value': '<a b/>',
  'an attribute without quotes': '<a b=1/>',
  'attributes without space': '<a b="1"c="2"/>',
  'a less-than in an attribute': '<a b="<"/>',
  'no name': '< a/>',
  'a number for a name': '<1a/>',
  'two colons in a name': '<a:b:c xmlns:a="x"/>',
  ']]> in text': '<a>]]></a>',
  'two hyphens in a comment': '<a><!-- a -- b --></a>',
  'a control character': '<a>\x01</a>',
  'an escape character in a tag': '<a\x1b/>',
  'U+FFFE': '<a>\ufffe</a>',
  'a late XML declaration': '<a/><?xml version="1.0"?>',
  'another encoding': '<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
  'UTF-16': Buffer.from('\ufeff<a/>', 'utf16le'),
  'bytes that are no UTF-8': Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]),
  'an overlong slash': Buffer.from([0x3c, 0x61, 0x3e, 0xc0, 0xaf, 0x3c, 0x2f, 0x61, 0x3e]),
  'endless depth': '<a>'.repeat(100_000),
  'a tag without end': `<a ${'b'.repeat(100_000)}`,
  'an attribute without end': `<a b="${'b'.repeat(100_000)}`,
  'a comment without end': `<!-- ${'b'.repeat(100_000)}`,
};

for (const [what, document] of Object.entries(HOSTILE)) {
  test(`refuses ${what}`, () => {
    assert.throws(() => scan(document), XmlError);
  });
}

test('control characters and stray ampersands pass where phodav sends them', () => {
  assert.deepEqual(scan('<a>\x01\r &d/x&amp;y</a>', { lenient: true }), [
    '<|a',
    '"\x01\r &d/x&y',
    '/a',
  ]);
  assert.throws(() => scan('<a>', { lenient: true }), XmlError);
});

test('text without end is passed on, not kept', () => {
  let longest = 0;
  const scanner = new XmlScanner({
    open: () => undefined,
    text: (text) => (longest = Math.max(longest, text.length)),
    close: () => undefined,
  });
  scanner.write(Buffer.from('<a>'));
  for (let i = 0; i < 1000; i += 1) scanner.write(Buffer.alloc(16_384, 'x'));
  assert.ok(longest < 100_000, `${longest}`);
});

test('many different names and declarations do not pile up', () => {
  const parts = ['<a>'];
  for (let i = 0; i < 20_000; i += 1) parts.push(`<n${i} xmlns="urn:${i}"/>`);
  parts.push('</a>');
  const before = process.memoryUsage().heapUsed;
  assert.equal(scan(parts.join('')).length, 40_002);
  assert.ok(process.memoryUsage().heapUsed - before < 64 * 1024 * 1024);
});
