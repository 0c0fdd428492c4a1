/**
 * What servers can do and where they lie: one row per server. Measured on phodav 3.0 (libsoup 3.2), Apache 2.4 mod_dav_fs; read for
 * SabreDAV. Every promise of our own share is advertised by it.
 */
import type { HttpHead } from '../http/types.js';
import type { ServerProfile } from './types.js';

/** Token in the DAV field by which our own share says that it has the posix property and all that goes with it. */
export const DAVPORT_TOKEN = '<urn:davport:posix>';

/** It keeps a change back until it is on disk when asked to. */
const SYNC_TOKEN = '<urn:davport:sync>';

/** Token by which our own share says that it tells what changes. */
const CHANGES_TOKEN = '<urn:davport:changes>';

export function hasChangeFeed({ davClasses }: ServerProfile): boolean {
  return davClasses.has(CHANGES_TOKEN);
}

/** Token by which it says that it can be asked whether it has told everything. */
const TOLD_TOKEN = '<urn:davport:told>';

export function hasToldQuestions({ davClasses }: ServerProfile): boolean {
  return davClasses.has(TOLD_TOKEN);
}

/** Token by which it says that it has small files by the dozen. */
const CONTENTS_TOKEN = '<urn:davport:contents>';

export function hasContents({ davClasses }: ServerProfile): boolean {
  return davClasses.has(CONTENTS_TOKEN);
}

/** Tokens by which it says that it takes a part of a file, and several by one request. */
const PARTIAL_TOKEN = '<urn:davport:partial>';
const EXTENTS_TOKEN = '<urn:davport:extents>';
/** The PATCH of SabreDAV. */
const SABRE_PARTIAL = 'sabredav-partialupdate';

export function takesExtents({ davClasses }: ServerProfile): boolean {
  return davClasses.has(PARTIAL_TOKEN) && davClasses.has(EXTENTS_TOKEN);
}

export function takesPatch({ davClasses }: ServerProfile): boolean {
  return davClasses.has(SABRE_PARTIAL);
}

/** Locks that can be relied on. phodav's can't be refreshed: a LOCK without a body crashes it. */
export function hasLocks({ davClasses, name }: ServerProfile): boolean {
  return davClasses.has('2') && name !== 'phodav';
}

type ServerName = ServerProfile['name'];
export type Promises = Omit<ServerProfile, 'name' | 'server' | 'davClasses'>;

/** Expects of a server only what a mistake about can't lose data. */
const UNKNOWN: Promises = {
  atomicPut: false,
  conditionalPut: false,
  moveNoReplace: false,
  putReturnsResource: false,
  cheapRanges: true,
  deadProperties: false,
  setsExecutable: false,
  livePosix: false,
  hardLinks: false,
  sync: false,
  quota: true,
  basicSearch: false,
  deleteFollowsLinks: false,
  moveClobbersCollections: true,
};

export const PROMISES: Readonly<Record<ServerName, Promises>> = {
  unknown: UNKNOWN,
  phodav: {
    ...UNKNOWN,
    // The DAV If header works on PUT, but a PUT that is cut replaces the file by its first part.
    moveNoReplace: true,
    // It copies the whole file into memory for each range.
    cheapRanges: false,
    // As extended attributes user.<ns>#<name>.
    deadProperties: true,
    // Only quota-available-bytes; quota-used-bytes walks the whole tree.
    quota: true,
    deleteFollowsLinks: true,
  },
  apache: {
    ...UNKNOWN,
    atomicPut: true,
    conditionalPut: true,
    moveNoReplace: true,
    deadProperties: true,
    setsExecutable: true,
    quota: false,
  },
  sabredav: {
    ...UNKNOWN,
    // Stores write the request body straight to the file; Nextcloud's do not, but don't say so.
    atomicPut: false,
    conditionalPut: true,
    moveNoReplace: true,
  },
  davport: {
    ...UNKNOWN,
    atomicPut: true,
    conditionalPut: true,
    moveNoReplace: true,
    putReturnsResource: true,
    deadProperties: true,
    // The mode says it, to the bit.
    setsExecutable: false,
    livePosix: true,
  },
};

/** From the answer to OPTIONS. */
export function identifyServer(head: HttpHead): ServerProfile {
  const server = head.headers.server ?? '';
  const davClasses = new Set(
    (head.headers.dav ?? '')
      .split(',')
      .map((token) => token.trim())
      .filter((token) => token !== ''),
  );
  const name = serverName(server, davClasses, head.headers);
  const advertised = {
    hardLinks: name === 'davport' && davClasses.has('bind'),
    sync: davClasses.has(SYNC_TOKEN),
  };
  // RFC 5323 section 3.2. Codes are in angle brackets; some servers leave them out.
  const basicSearch = /(^|[\s,<])DAV:basicsearch($|[\s,>])/.test(head.headers.dasl ?? '');
  return { name, server, davClasses, ...PROMISES[name], ...advertised, basicSearch };
}

function serverName(
  server: string,
  davClasses: ReadonlySet<string>,
  headers: HttpHead['headers'],
): ServerName {
  if (davClasses.has(DAVPORT_TOKEN)) return 'davport';
  if (server.startsWith('PhodavServer')) return 'phodav';
  // Before Apache: SabreDAV runs behind it.
  if (headers['x-sabre-version'] !== undefined || davClasses.has(SABRE_PARTIAL)) {
    return 'sabredav';
  }
  // mod_dav says so by its propset token; a proxy in front of something else has Apache's Server, too.
  const modDav = [...davClasses].some((token) => token.includes('apache.org/dav/propset/'));
  return server.startsWith('Apache') && modDav ? 'apache' : 'unknown';
}
