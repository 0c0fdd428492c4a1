import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { XmlError } from '../../../src/webdav/types.js';
import { fixture, multistatus, readChunks, readText, response } from './read-multistatus.js';

const documents = readdirSync(new URL('../../fixtures/webdav/', import.meta.url))
  .filter((name) => name.endsWith('.xml') && name !== 'apache-depth-infinity.xml')
  .map((name) => ({ name, bytes: fixture(name), options: { lenient: name.includes('phodav') } }));

for (const { name, bytes, options } of documents) {
  test(`${name} reads the same when cut at any byte`, () => {
    const whole = readChunks([bytes], options);
    assert.ok(whole.length > 0);
    for (let at = 0; at <= bytes.length; at += 1) {
      const parts = [bytes.subarray(0, at), bytes.subarray(at)];
      assert.deepEqual(readChunks(parts, options), whole, `cut at ${at}`);
    }
    const single = Array.from(bytes, (byte) => Buffer.of(byte));
    assert.deepEqual(readChunks(single, options), whole);
  });

  test(`${name} is refused when it ends early`, () => {
    const end = bytes.toString('latin1').lastIndexOf('</') + 16;
    for (let at = 0; at < end; at += 1) {
      assert.throws(() => readChunks([bytes.subarray(0, at)], options), XmlError, `ends at ${at}`);
    }
  });
}

test('random cuts change nothing', () => {
  const seed = Date.now() % 1_000_000;
  const document = fixture('phodav-odd-names.xml');
  const whole = readChunks([document], { lenient: true });
  const cuts = fc.array(fc.nat(document.length), { maxLength: 40 });
  fc.assert(
    fc.property(cuts, (positions) => {
      const sorted = [0, ...positions.sort((a, b) => a - b), document.length];
      const parts = sorted.slice(1).map((at, index) => document.subarray(sorted[index], at));
      assert.deepEqual(readChunks(parts, { lenient: true }), whole);
    }),
    { seed, numRuns: 200 },
  );
});

test('random damage ends in an answer or an XmlError, nothing else', () => {
  const seed = Date.now() % 1_000_000;
  const document = fixture('apache-odd-names.xml');
  const damage = fc.array(fc.tuple(fc.nat(document.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(damage, fc.boolean(), (changes, lenient) => {
      const damaged = Buffer.from(document);
      for (const [at, byte] of changes) damaged[at] = byte;
      try {
        readChunks([damaged], { lenient });
      } catch (error) {
        assert.ok(error instanceof XmlError, String(error));
      }
    }),
    { seed, numRuns: 500 },
  );
});

test('properties of each status are kept apart', () => {
  const [entry] = readChunks([fixture('phodav-special-files.xml')], { lenient: true }).filter(
    ({ href }) => href.endsWith('/fifo'),
  );
  assert.equal(entry?.properties.get('DAV: displayname'), 'fifo');
  assert.equal(entry.properties.has('DAV: resourcetype'), false);
  assert.equal(entry.refused.get('DAV: resourcetype'), 404);
});

test('a status for the whole resource', () => {
  const [entry] = readChunks([fixture('apache-delete-locked-member.xml')]);
  assert.deepEqual([entry?.href, entry?.status], ['/sub/f', 423]);
});

test('a status before its properties, nested and foreign elements', () => {
  const [entry] = readText(
    multistatus(
      '<D:response><x xmlns="urn:x"><D:href>/wrong</D:href></x><D:href> /a </D:href><D:propstat>' +
        '<D:status>HTTP/1.1 200 OK</D:status><D:prop><v xmlns="urn:x">1<b>2<c>3</c></b>4</v>' +
        '<D:resourcetype><D:collection/><D:principal/></D:resourcetype></D:prop>' +
        '<D:error><D:some-condition/></D:error></D:propstat></D:response>',
    ),
  );
  assert.equal(entry?.href, '/a');
  assert.equal(entry.properties.get('urn:x v'), '1234');
  assert.equal(entry.properties.get('DAV: resourcetype'), 'DAV: collection DAV: principal ');
  assert.equal(entry.condition, 'some-condition');
});

test('what is no multistatus is refused', () => {
  const documents = [
    '<html><body/></html>',
    '<multistatus/>',
    '<D:multistatus xmlns:D="urn:other"/>',
    multistatus('<D:response></D:response>'),
    multistatus('<D:response><D:href>/</D:href><D:status>OK</D:status></D:response>'),
    fixture('apache-depth-infinity.xml').toString(),
  ];
  for (const document of documents) assert.throws(() => readText(document), XmlError, document);
});

test('a value without end is refused', () => {
  const value = '<D:displayname>' + 'x'.repeat(1_100_000) + '</D:displayname>';
  assert.throws(() => readText(multistatus(response('/', value))), XmlError);
});

test('a large listing does not hold up the event loop', () => {
  const entries = Array.from({ length: 10_000 }, (_, i) =>
    response(`/dir/file-${i}`, `<D:getcontentlength>${i}</D:getcontentlength><D:resourcetype/>`),
  );
  const document = Buffer.from(multistatus(entries.join('')));
  const chunks: Buffer[] = [];
  for (let at = 0; at < document.length; at += 65_535) {
    chunks.push(document.subarray(at, at + 65_535));
  }
  assert.equal(readChunks(chunks).length, 10_000);
  const cpu = process.cpuUsage();
  assert.equal(readChunks(chunks).length, 10_000);
  const used = process.cpuUsage(cpu);
  // Over all chunks 2 s of processor time would be 60 ms for each; usual are 0.05 s together.
  assert.ok((used.user + used.system) / 1000 < 2000);
});
