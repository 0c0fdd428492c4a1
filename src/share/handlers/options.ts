import type { Exchange } from '../exchange.js';
import { ACCEPTED_PATCHES } from './patch.js';

const READING = ['OPTIONS', 'GET', 'HEAD', 'PROPFIND', 'REPORT', 'SEARCH'];
const WRITING = [
  ...['PUT', 'PATCH', 'DELETE', 'MKCOL', 'COPY', 'MOVE', 'PROPPATCH', 'LOCK', 'UNLOCK'],
  ...['BIND', 'UNBIND', 'REBIND'],
];

export const READ_METHODS: ReadonlySet<string> = new Set(READING);

/** Compliance classes (2 is locks), then our extensions (doc/EXTENSIONS.md). */
const DAV_READ = '1, 3, <urn:davport:posix>, <urn:davport:contents>';
const DAV_CHANGES = ', <urn:davport:changes>, <urn:davport:told>';
const DAV_WRITE =
  '1, 2, 3, <urn:davport:posix>, bind, <urn:davport:sync>, ' +
  '<urn:davport:contents>, <urn:davport:partial>, <urn:davport:extents>, sabredav-partialupdate';

export function allowedMethods(readOnly: boolean): string {
  return (readOnly ? READING : [...READING, ...WRITING]).join(', ');
}

/** Says what the server can do; of any path, as clients ask before they know what is there. */
export function handleOptions(exchange: Exchange): void {
  const { changeFeeds, options } = exchange.context;
  const { readOnly } = options;
  exchange.respond(200, {
    DAV: `${readOnly ? DAV_READ : DAV_WRITE}${changeFeeds.available ? DAV_CHANGES : ''}`,
    Allow: allowedMethods(readOnly),
    'MS-Author-Via': 'DAV',
    // RFC 5323 section 3.2.
    DASL: '<DAV:basicsearch>',
    ...(readOnly ? {} : { 'Accept-Patch': ACCEPTED_PATCHES }),
    'Accept-Ranges': 'bytes',
  });
}
