/** Requests as clients send them, as they should not, and as an attacker would: for fast-check. All text is latin1: a byte each. */
import fc from 'fast-check';
import { BODIES, visible, xmlBody } from './arbitrary-xml.js';

export interface FuzzRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Of a body in chunks; of one with its length otherwise. */
  readonly chunked: boolean;
}

const NAMES = [
  'f',
  'd',
  'd/f',
  'new',
  'in',
  'out',
  'out/secret',
  'up',
  'loop',
  'fifo',
  'd/sub/g',
  '',
];
const ODD_SEGMENTS = [
  '..',
  '.',
  '%2e%2e',
  '%2f',
  '%00',
  '%',
  '%zz',
  '%ff',
  '..%2foutside',
  '%ed%b2%af',
  '~',
  ' ',
];

const segment = fc.oneof(
  fc.constantFrom('f', 'd', 'in', 'out', 'up', 'sub', 'secret', 'new'),
  fc.constantFrom(...ODD_SEGMENTS.map((text) => text.trim())),
  visible.map((text) => text.replace(/[/?#]/g, '')),
);

const path = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NAMES).map((name) => `/${name}`) },
  {
    weight: 1,
    arbitrary: fc.array(segment, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`),
  },
);

const target = fc.oneof(
  { weight: 8, arbitrary: path },
  { weight: 1, arbitrary: path.map((text) => `http://x${text}`) },
  { weight: 1, arbitrary: visible },
);

const METHODS =
  'OPTIONS GET HEAD PROPFIND PROPPATCH PUT PATCH DELETE MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT BIND UNBIND REBIND POST TRACE ACL';

const etag = fc.oneof(
  fc.constantFrom('"x"', 'W/"x"', '"', '""', '*', '"a-b-c-d"'),
  visible.map((text) => `"${text}"`),
);
const token = fc.oneof(
  fc.constantFrom('<DAV:no-lock>', '<urn:uuid:0>', '<>', '<'),
  visible.map((text) => `<${text}>`),
);
const condition = fc.tuple(
  fc.constantFrom('', 'Not ', 'not', 'Not Not '),
  fc.oneof(
    token,
    etag.map((text) => `[${text}]`),
  ),
);
const list = fc
  .array(condition, { maxLength: 4 })
  .map((all) => `(${all.map((two) => two.join('')).join(' ')})`);
export const ifHeader = fc
  .array(
    fc.oneof(
      list,
      list,
      path.map((text) => `<${text}>`),
      visible,
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(' '));

const number = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map(String),
  fc.constantFrom('', '-1', '00', '9007199254740993', '99999999999999999999', '1e3', '0x1'),
);
const span = fc.tuple(number, number).map(([first, last]) => `${first}-${last}`);
export const range = fc
  .tuple(
    fc.constantFrom('bytes=', 'bytes ', 'BYTES=', 'lines=', ''),
    fc.array(span, { maxLength: 8 }),
  )
  .map(([unit, spans]) => unit + spans.join(','));
const contentRange = fc
  .tuple(span, fc.oneof(number, fc.constant('*')))
  .map(([of, size]) => `bytes ${of}/${size}`);

export const posix = fc
  .array(
    fc.tuple(
      fc.constantFrom('mode', 'mtime', 'atime', 'size', 'ino', 'nlink', 'target', 'x'),
      fc.oneof(
        number,
        fc.constantFrom('100777', '120777', '1.5', '-1.999999999', '1.0000000001', '1e9', '%udc80'),
      ),
    ),
    { maxLength: 4 },
  )
  .map((pairs) => pairs.map((pair) => pair.join('=')).join(' '));

const FIELDS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  Depth: fc.constantFrom('0', '1', 'infinity', 'Infinity', '1,noroot', '2', ''),
  Destination: fc.oneof(target, fc.constantFrom('http://elsewhere/x', 'x', '/../x', '//x')),
  Overwrite: fc.constantFrom('T', 'F', 't', 'maybe'),
  Timeout: fc.constantFrom(
    'Second-1',
    'Infinite',
    'Second-99999999999',
    'Second-',
    'Second--1',
    'Infinite, Second-3',
  ),
  If: ifHeader,
  'If-Match': etag,
  'If-None-Match': etag,
  'If-Modified-Since': fc.constantFrom('Sun, 06 Nov 1994 08:49:37 GMT', 'yesterday', ''),
  'If-Range': etag,
  Range: range,
  'Content-Range': contentRange,
  'X-Update-Range': fc.oneof(range, fc.constantFrom('append', 'bytes=-3')),
  'Content-Type': fc.constantFrom('application/x-sabredav-partialupdate', 'text/xml', 'text/plain'),
  'Content-Encoding': fc.constantFrom('gzip', 'identity'),
  'Accept-Encoding': fc.constantFrom('gzip', 'br;q=1, gzip;q=0', '*;q=x', ''),
  'Want-Repr-Digest': fc.constantFrom('sha-256=1', 'sha-512=9, md5=1', '=', 'sha-256=99999999999'),
  'Repr-Digest': fc.constantFrom(
    'sha-256=:AAAA:',
    'sha-256=x',
    ':',
    'sha-512=:' + 'A'.repeat(86) + '==:',
  ),
  Prefer: fc.constantFrom('return=minimal', 'depth-noroot', 'return="', ';;,,'),
  'Davport-Posix': posix,
  'Davport-Sync': fc.constantFrom('1', '0', 'x'),
  'Lock-Token': token,
  'X-OC-Mtime': number,
  Expect: fc.constantFrom('100-continue', 'pigs'),
  'Keep-Alive': visible,
};

const field = fc.oneof(
  ...Object.entries(FIELDS).map(([name, value]) => fc.tuple(fc.constant(name), value)),
  fc.tuple(fc.constantFrom('X-Any', 'Cookie', 'Authorization', 'Upgrade'), visible),
);

const body = fc.oneof(
  { weight: 4, arbitrary: xmlBody },
  { weight: 2, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: visible },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 300_000 }).map((size) => 'z'.repeat(size)) },
);

const wildRequest: fc.Arbitrary<FuzzRequest> = fc.record({
  method: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...METHODS.split(' ')) },
    { weight: 1, arbitrary: visible },
  ),
  target,
  fields: fc.array(field, { maxLength: 5 }),
  body,
  chunked: fc.boolean(),
});

const small = fc.integer({ min: 0, max: 200_000 }).map((size) => 'z'.repeat(size));
const none = fc.constant('');
const CONDITIONS = 'If If-Match If-None-Match';
/** What belongs together: fields, and a body or the one at that place of BODIES. */
const USES: readonly (readonly [
  method: string,
  fields: string,
  body: fc.Arbitrary<string> | number,
])[] = [
  ['GET', `Range If-Range Accept-Encoding Want-Repr-Digest If-Modified-Since ${CONDITIONS}`, none],
  ['HEAD', `Want-Repr-Digest ${CONDITIONS}`, none],
  ['PROPFIND', 'Depth Prefer', 0],
  ['PROPFIND', 'Depth Accept-Encoding', 1],
  ['PROPPATCH', `Davport-Sync ${CONDITIONS}`, 2],
  ['PROPPATCH', CONDITIONS, 3],
  ['PROPPATCH', CONDITIONS, 4],
  ['PUT', `Davport-Posix Davport-Sync X-OC-Mtime Repr-Digest Expect ${CONDITIONS}`, small],
  ['PUT', 'Content-Range', small],
  ['PATCH', 'X-Update-Range Content-Type', small],
  ['DELETE', `Depth ${CONDITIONS}`, none],
  ['MKCOL', 'Davport-Posix', none],
  ['COPY', `Destination Overwrite Depth ${CONDITIONS}`, none],
  ['MOVE', `Destination Overwrite ${CONDITIONS}`, none],
  ['LOCK', 'Timeout Depth', 5],
  ['UNLOCK', 'Lock-Token', none],
  ['SEARCH', 'Accept-Encoding', 6],
  ['BIND', 'Overwrite', 7],
  ['REBIND', 'Overwrite', 8],
  ['UNBIND', 'If', 9],
];

const likelyRequest: fc.Arbitrary<FuzzRequest> = fc
  .constantFrom(...USES)
  .chain(([method, names, content]) =>
    fc.record({
      method: fc.constant(method),
      target: path,
      fields: fc.array(
        fc
          .constantFrom(...names.split(' '))
          .chain((name) => fc.tuple(fc.constant(name), FIELDS[name]!)),
        { maxLength: 2 },
      ),
      body: typeof content === 'number' ? fc.constant(BODIES[content]!) : content,
      chunked: fc.boolean(),
    }),
  );

export const fuzzRequest: fc.Arbitrary<FuzzRequest> = fc.oneof(
  { weight: 3, arbitrary: likelyRequest },
  { weight: 2, arbitrary: wildRequest },
);

export function encodeRequest({
  method,
  target: of,
  fields,
  body: content,
  chunked,
}: FuzzRequest): Buffer {
  const lines = [`${method} ${of} HTTP/1.1`, 'Host: x', 'Connection: close'];
  for (const [name, value] of fields) lines.push(`${name}: ${value}`);
  lines.push(chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${content.length}`);
  const chunks = content === '' ? '' : `${content.length.toString(16)}\r\n${content}\r\n`;
  return Buffer.from(
    `${lines.join('\r\n')}\r\n\r\n${chunked ? `${chunks}0\r\n\r\n` : content}`,
    'latin1',
  );
}
