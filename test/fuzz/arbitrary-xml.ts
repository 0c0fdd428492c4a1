/** Bodies of requests, good ones and what becomes of them when parts are cut out, doubled or replaced: for fast-check. */
import fc from 'fast-check';

const byte = (low: number, high: number): fc.Arbitrary<string> =>
  fc.integer({ min: low, max: high }).map((code) => String.fromCharCode(code));

/** Characters that HTTP lets a field or a target have. */
export const visible = fc.string({
  unit: fc.oneof(byte(0x21, 0x7e), byte(0x80, 0xff)),
  maxLength: 40,
});

const prop = '<prop xmlns="DAV:"><getetag/><x xmlns="urn:x"/><quota-used-bytes/></prop>';
export const BODIES = [
  `<propfind xmlns="DAV:">${prop}</propfind>`,
  '<propfind xmlns="DAV:"><allprop/><include><posix xmlns="urn:davport:ns"/></include></propfind>',
  '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x" xml:lang="de">v&amp;<y/></x></prop></set></propertyupdate>',
  '<propertyupdate xmlns="DAV:"><remove><prop><x xmlns="urn:x"/><displayname/></prop></remove></propertyupdate>',
  '<propertyupdate xmlns="DAV:"><set><prop><posix xmlns="urn:davport:ns">mode=120777 mtime=1.5</posix></prop></set></propertyupdate>',
  '<lockinfo xmlns="DAV:"><lockscope><shared/></lockscope><locktype><write/></locktype><owner>me</owner></lockinfo>',
  `<searchrequest xmlns="DAV:"><basicsearch><select>${prop}</select><from><scope><href>/</href><depth>infinity</depth></scope></from>` +
    '<where><or><contains>SECRET</contains><like><prop><displayname/></prop><literal>%_f</literal></like></or></where>' +
    '<orderby><order><prop><getcontentlength/></prop><descending/></order></orderby><limit><nresults>3</nresults></limit></basicsearch></searchrequest>',
  '<bind xmlns="DAV:"><segment>bound</segment><href>/d/f</href></bind>',
  '<rebind xmlns="DAV:"><segment>moved</segment><href>/new</href></rebind>',
  '<unbind xmlns="DAV:"><segment>bound</segment></unbind>',
  '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:"><prop><a>&x;</a></prop></propfind>',
];

/** Cuts a part out, doubles it, or puts something in its place. */
const mutation = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.integer({ min: 0, max: 30 }),
  fc.oneof(
    fc.constantFrom(
      '',
      '..',
      '/../outside/secret',
      '&x;',
      '<',
      '</',
      'urn:x',
      'infinity',
      '-1',
      '<a><b/></a>',
      '<![CDATA[x]]>',
      '\x00',
    ),
    visible,
    fc.integer({ min: 1, max: 60 }).map((times) => '<a>'.repeat(times)),
  ),
);
export const xmlBody = fc
  .tuple(fc.constantFrom(...BODIES), fc.array(mutation, { maxLength: 3 }))
  .map(([body, mutations]) =>
    mutations.reduce((text, [place, length, other]) => {
      const at = Math.floor(place * text.length);
      return text.slice(0, at) + other + text.slice(at + length);
    }, body),
  );
