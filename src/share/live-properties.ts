/** THE table of live properties: what each says of a resource. Undefined: the resource has no such property. */
import fs from 'node:fs';
import { DAVPORT_NS, type PropertyName } from '../webdav/types.js';
import { contentTypeOf } from './content-type.js';
import { etagOf } from './etag.js';
import type { FileState } from './file-state.js';
import { at, PIN_FOLDER, type FsPath } from './fs-path.js';
import { formatHttpDate, formatIsoDate } from '../webdav/http-date.js';
import type { Kind } from './place.js';
import { SUPPORTED_LOCKS, type LockDiscovery } from './locks/lock-properties.js';
import { formatPosix } from './posix-text.js';
import { resourceIdOf } from './resource-id.js';
import { toSeconds } from './timespec.js';
import { escapeXml } from './xml-text.js';

export const DAV_NS = 'DAV:';
export const APACHE_NS = 'http://apache.org/dav/props/';

/** A resource as it is told: its state, of the link's target where the client is shown that. */
export interface Subject {
  readonly name: string;
  readonly path: FsPath;
  readonly kind: Kind;
  readonly stat: FileState;
  /** False: it has none for sure, and needn't be asked. */
  readonly hasDeadProperties?: boolean;
}

interface LiveProperty extends PropertyName {
  /** Told only to who names it: RFC 4331 section 2, and what is for davport's own mount. */
  readonly onRequest?: true;
  /** Content of the element, escaped; '' for an empty one. `discovery`: of the locks, where the share has them. */
  value(subject: Subject, discovery?: LockDiscovery): string | undefined;
}

const PREFIXES: Readonly<Record<string, string>> = {
  [DAV_NS]: 'D',
  [DAVPORT_NS]: 'P',
  [APACHE_NS]: 'A',
};

/** To be declared by the document's root. */
export const NAMESPACE_DECLARATIONS = Object.entries(PREFIXES)
  .map(([ns, prefix]) => ` xmlns:${prefix}="${ns}"`)
  .join('');

const quota = (subject: Subject, of: (stat: fs.BigIntStatsFs) => bigint): string | undefined => {
  if (subject.kind !== 'collection') return undefined;
  // statfs(2) of the name itself would follow a symbolic link that was swapped in.
  const fd = fs.openSync(subject.path, PIN_FOLDER);
  try {
    const stat = fs.statfsSync(at(fd, ''), { bigint: true });
    return String(of(stat) * stat.bsize);
  } finally {
    fs.closeSync(fd);
  }
};

export const LIVE_PROPERTIES: readonly LiveProperty[] = [
  {
    ns: DAV_NS,
    name: 'resourcetype',
    // Of what is neither file nor folder it isn't told: no client then takes it for one.
    value: ({ kind }) =>
      kind === 'collection' ? '<D:collection/>' : kind === 'special' ? undefined : '',
  },
  {
    ns: DAV_NS,
    name: 'getcontentlength',
    value: ({ kind, stat }) =>
      kind === 'file' || kind === 'link' ? stat.size.toString() : undefined,
  },
  {
    ns: DAV_NS,
    name: 'getlastmodified',
    value: ({ stat }) => formatHttpDate({ sec: toSeconds(stat.mtimeNs), nsec: 0 }),
  },
  {
    ns: DAV_NS,
    name: 'creationdate',
    // A file system without a time of birth says 0.
    value: ({ stat }) =>
      formatIsoDate({
        sec: toSeconds(stat.birthtimeNs > 0n ? stat.birthtimeNs : stat.ctimeNs),
        nsec: 0,
      }),
  },
  { ns: DAV_NS, name: 'getetag', value: ({ stat }) => etagOf(stat) },
  {
    ns: DAV_NS,
    name: 'getcontenttype',
    value: ({ kind, name, stat }) =>
      kind === 'file' ? contentTypeOf(name) : kind === 'special' ? specialType(stat) : undefined,
  },
  {
    ns: DAV_NS,
    name: 'supportedlock',
    value: ({ kind }, discovery) =>
      discovery && (kind === 'file' || kind === 'collection') ? SUPPORTED_LOCKS : undefined,
  },
  { ns: DAV_NS, name: 'lockdiscovery', value: ({ path }, discovery) => discovery?.(path) },
  { ns: DAV_NS, name: 'displayname', value: ({ name }) => escapeXml(name) },
  {
    ns: DAV_NS,
    name: 'quota-available-bytes',
    onRequest: true,
    value: (subject) => quota(subject, ({ bavail }) => bavail),
  },
  {
    ns: DAV_NS,
    name: 'quota-used-bytes',
    onRequest: true,
    value: (subject) => quota(subject, ({ blocks, bfree }) => blocks - bfree),
  },
  {
    ns: DAV_NS,
    name: 'resource-id',
    onRequest: true,
    value: ({ stat }) => `<D:href>${resourceIdOf(stat)}</D:href>`,
  },
  {
    ns: DAV_NS,
    name: 'supported-query-grammar-set',
    onRequest: true,
    value: () =>
      '<D:supported-query-grammar><D:grammar><D:basicsearch/></D:grammar></D:supported-query-grammar>',
  },
  {
    ns: APACHE_NS,
    name: 'executable',
    value: ({ kind, stat }) =>
      kind === 'file' ? ((stat.mode & 0o111n) === 0n ? 'F' : 'T') : undefined,
  },
  {
    ns: DAVPORT_NS,
    name: 'posix',
    onRequest: true,
    value: ({ stat, path }) => escapeXml(formatPosix(stat, path)),
  },
];

function specialType(stat: FileState): string {
  if (stat.isFIFO()) return 'inode/fifo';
  if (stat.isSocket()) return 'inode/socket';
  if (stat.isSymbolicLink()) return 'inode/symlink';
  return stat.isBlockDevice() ? 'inode/blockdevice' : 'inode/chardevice';
}

export function liveProperty({ ns, name }: PropertyName): LiveProperty | undefined {
  return LIVE_PROPERTIES.find((property) => property.ns === ns && property.name === name);
}

/** `<D:name>` parts of an element name: known namespaces have a prefix of the document, others declare their own. */
export function tagOf({ ns, name }: PropertyName): { start: string; end: string } {
  const prefix = Object.hasOwn(PREFIXES, ns) ? PREFIXES[ns]! : undefined;
  if (prefix !== undefined) return { start: `${prefix}:${name}`, end: `${prefix}:${name}` };
  if (ns === '') return { start: `${name} xmlns=""`, end: name };
  return { start: `x:${name} xmlns:x="${escapeXml(ns)}"`, end: `x:${name}` };
}

export function formatProperty(property: PropertyName, content: string): string {
  const { start, end } = tagOf(property);
  return content === '' ? `<${start}/>` : `<${start}>${content}</${end}>`;
}
