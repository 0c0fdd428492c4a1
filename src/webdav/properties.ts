/** Which properties are asked of which server, and what they become. */
import { etagTime } from './etag-time.js';
import { parseDate } from './http-date.js';
import type { MultistatusEntry } from './multistatus.js';
import { parsePosixProperty, posixOfVersion } from './posix-property.js';
import {
  DAVPORT_NS,
  type PosixProperty,
  type PropertyName,
  type Resource,
  type ServerProfile,
  type Timespec,
} from './types.js';

const dav = (name: string): PropertyName => ({ ns: 'DAV:', name });

export const APACHE_NS = 'http://apache.org/dav/props/';
/** As Apache names it. */
export const EXECUTABLE: PropertyName = { ns: APACHE_NS, name: 'executable' };
export const POSIX: PropertyName = { ns: DAVPORT_NS, name: 'posix' };

export function propertyKey({ ns, name }: PropertyName): string {
  return `${ns} ${name}`;
}

const POSIX_KEY = propertyKey(POSIX);

const OF_ALL = [dav('resourcetype'), dav('getcontentlength'), dav('getetag')];
const BASE = [...OF_ALL, dav('getlastmodified')];

/**
 * What stat and list ask for. Each property costs both sides time for each member, so no more are asked for than are used: our own
 * share tells its times with the mode. phodav's
 * executable flag ("the host's user may execute it") is told only when asked for in the namespace DAV:, and displayname is how
 * names are recovered that it spoils in hrefs.
 */
export function statProperties(profile: ServerProfile): readonly PropertyName[] {
  if (profile.livePosix) return [...OF_ALL, POSIX];
  if (profile.name === 'phodav') {
    return [...BASE, dav('displayname'), dav('executable'), POSIX];
  }
  const names = [...BASE, dav('creationdate')];
  if (profile.setsExecutable) names.push(EXECUTABLE);
  if (profile.deadProperties) names.push(POSIX);
  return names;
}

/** What a search asks for: people are shown when a file was made. */
export function searchProperties(profile: ServerProfile): readonly PropertyName[] {
  const names = statProperties(profile);
  return profile.livePosix ? [...names, dav('creationdate')] : names;
}

/** `name`: as href.ts and name recovery found it. */
export function toResource(
  entry: MultistatusEntry,
  name: string,
  profile: ServerProfile,
): Resource {
  const told = entry.properties;
  const etag = told.get('DAV: getetag')?.trim() || undefined;
  const posixText = told.get(POSIX_KEY);
  const created = told.get('DAV: creationdate');
  const posix =
    posixText === undefined ? undefined : posixOfVersion(parsePosixProperty(posixText), etag);
  const kind = toKind(entry, profile);
  return {
    name,
    kind,
    size: kind === 'file' ? toSize(told.get('DAV: getcontentlength')) : 0,
    mtime: posix?.mtime ?? toModified(told, etag, profile),
    created: created === undefined ? undefined : parseDate(created),
    etag,
    executable: kind === 'file' ? toExecutable(told, posix, profile) : undefined,
    posix,
  };
}

function toKind(entry: MultistatusEntry, profile: ServerProfile): Resource['kind'] {
  const type = entry.properties.get('DAV: resourcetype');
  if (type?.includes('DAV: collection ') === true) return 'collection';
  // Neither phodav nor our share has a type for FIFOs, sockets and dangling links; a GET of a FIFO hangs phodav for good.
  const tellsTypes = profile.name === 'phodav' || profile.name === 'davport';
  return type === undefined && tellsTypes ? 'special' : 'file';
}

function toSize(text: string | undefined): number {
  if (text === undefined || !/^\s*\d+\s*$/.test(text)) return 0;
  const size = Number(text);
  return Number.isSafeInteger(size) ? size : Number.MAX_SAFE_INTEGER;
}

function toExecutable(
  told: ReadonlyMap<string, string>,
  posix: PosixProperty | undefined,
  profile: ServerProfile,
): boolean | undefined {
  if (profile.livePosix && posix?.mode !== undefined) return (posix.mode & 0o111) !== 0;
  const flag = told.get(propertyKey(EXECUTABLE))?.trim().toUpperCase();
  return flag === 'T' ? true : flag === 'F' ? false : undefined;
}

function toModified(
  told: ReadonlyMap<string, string>,
  etag: string | undefined,
  profile: ServerProfile,
): Timespec | undefined {
  const date = parseDate(told.get('DAV: getlastmodified') ?? '');
  return (etag === undefined ? undefined : etagTime(etag, date, profile)) ?? date;
}
