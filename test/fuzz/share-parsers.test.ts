/** What reads a client's text: any text gives a value or a refusal (a status of 4xx), never anything else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShareError } from '../../src/share/errors.js';
import { parseIfHeader } from '../../src/share/if-header.js';
import {
  parseLockDepth,
  parseLockInfo,
  parseLockToken,
  parseTimeout,
} from '../../src/share/locks/lock-request.js';
import { parsePosix } from '../../src/share/posix-text.js';
import { parsePropfind } from '../../src/share/propfind-request.js';
import { parsePropertyUpdate } from '../../src/share/property-update.js';
import { parseRanges } from '../../src/share/range.js';
import { parseSearch } from '../../src/share/search/query.js';
import { formatHref, parseTargetPath } from '../../src/share/target-path.js';
import { parseXml } from '../../src/share/xml-reader.js';
import { checkProperty } from '../support/property.js';
import { ifHeader, posix, range } from './arbitrary-requests.js';
import { xmlBody } from './arbitrary-xml.js';

const BUDGET_MS = 1500;
const anyText = fc.string({ unit: 'binary' });

/** The value, or undefined for a refusal. */
function read<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    assert.ok(error instanceof ShareError, String(error));
    assert.ok(error.status >= 400 && error.status < 500, String(error.status));
    return undefined;
  }
}

const HEADERS: Readonly<Record<string, [fc.Arbitrary<string>, (text: string) => unknown]>> = {
  If: [ifHeader, parseIfHeader],
  'Davport-Posix': [posix, parsePosix],
  Depth: [anyText, parseLockDepth],
  Timeout: [anyText, parseTimeout],
  'Lock-Token': [anyText, parseLockToken],
};
for (const [name, [likely, parse]] of Object.entries(HEADERS)) {
  test(`the header ${name}`, (t) => {
    checkProperty(
      t,
      fc.property(fc.oneof(likely, anyText), (text) => void read(() => parse(text))),
      BUDGET_MS,
    );
  });
}

test('the header Range: parts of the file, or none', (t) => {
  const sizes = fc.oneof(fc.nat(50), fc.constantFrom(0, 2 ** 40));
  const property = fc.property(fc.oneof(range, anyText), sizes, (text, size) => {
    const ranges = read(() => parseRanges(text, size));
    if (!Array.isArray(ranges)) return;
    for (const { start, end } of ranges) assert.ok(0 <= start && start < end && end <= size);
  });
  checkProperty(t, property, BUDGET_MS);
});

test('targets: names that name nothing else, and come back the same', (t) => {
  const texts = fc.oneof(
    anyText.map((text) => `/${text}`),
    fc
      .array(
        fc.oneof(fc.constantFrom('..', '%2e', '%2f', '%00', '%ff', '%C3%A4', 'a', ''), anyText),
      )
      .map((parts) => `/${parts.join('/')}`),
    fc.webUrl(),
  );
  const property = fc.property(texts, (text) => {
    const path = read(() => parseTargetPath(text));
    if (!path) return;
    for (const name of path.segments)
      assert.ok(!/[/\0]|^\.{0,2}$/.test(name), JSON.stringify(name));
    assert.deepEqual(parseTargetPath(formatHref(path.segments, false)).segments, path.segments);
  });
  checkProperty(t, property, BUDGET_MS);
});

const PARSERS: Readonly<Record<string, (body: Buffer) => unknown>> = {
  'XML as such': parseXml,
  PROPFIND: parsePropfind,
  PROPPATCH: parsePropertyUpdate,
  LOCK: parseLockInfo,
  SEARCH: parseSearch,
};
for (const [name, parse] of Object.entries(PARSERS)) {
  test(`bodies: ${name}`, (t) => {
    const bodies = fc.oneof(
      { weight: 5, arbitrary: xmlBody.map((text) => Buffer.from(text, 'latin1')) },
      { weight: 1, arbitrary: xmlBody.map((text) => Buffer.from(`\ufeff${text}`, 'utf16le')) },
      { weight: 1, arbitrary: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
    );
    checkProperty(
      t,
      fc.property(bodies, (body) => void read(() => parse(body))),
      BUDGET_MS,
    );
  });
}
