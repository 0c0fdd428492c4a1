/** What LOCK and UNLOCK requests say (RFC 4918 sections 9.10, 9.11, 10.5, 10.7 and 14.11). */
import { ShareError } from '../errors.js';
import { DAV_NS } from '../live-properties.js';
import { elementsOf, isElement, parseXml, type XmlElement } from '../xml-reader.js';
import { formatAttributes, formatContent } from '../xml-text.js';
import type { LockScope } from './lock-table.js';

/** Ours. A client that dies must not keep a file from others for long; one that lives refreshes its lock. */
const MAX_TIMEOUT_SEC = 24 * 60 * 60;
const DEFAULT_TIMEOUT_SEC = 60 * 60;
/** Ours: characters of an owner. */
const MAX_OWNER_LENGTH = 4096;

export interface LockInfo {
  readonly scope: LockScope;
  /** The owner element as XML; '' for none. */
  readonly owner: string;
}

export function parseLockInfo(body: Buffer): LockInfo {
  const root = parseXml(body);
  if (!isElement(root, DAV_NS, 'lockinfo')) throw new ShareError(400, 'the body is no lockinfo');
  const scope = choiceIn(root, 'lockscope', ['exclusive', 'shared'] as const);
  choiceIn(root, 'locktype', ['write'] as const);
  const owner = child(root, 'owner');
  return { scope, owner: owner ? formatOwner(owner) : '' };
}

/** The one element of DAV: in `name`, which must be one that we know. */
function choiceIn<T extends string>(root: XmlElement, name: string, known: readonly T[]): T {
  const parent = child(root, name);
  const chosen = parent && elementsOf(parent).filter(({ ns }) => ns === DAV_NS);
  const value = known.find((candidate) => candidate === chosen?.[0]?.name);
  if (value === undefined || chosen?.length !== 1) {
    throw new ShareError(422, `${name} is one of ${known.join(', ')}`);
  }
  return value;
}

function child(parent: XmlElement, name: string): XmlElement | undefined {
  return elementsOf(parent).find((element) => isElement(element, DAV_NS, name));
}

function formatOwner(owner: XmlElement): string {
  const xml = `<D:owner${formatAttributes(owner)}>${formatContent(owner)}</D:owner>`;
  if (xml.length > MAX_OWNER_LENGTH) throw new ShareError(413, 'the owner is too long');
  return xml;
}

/** The first kind of the list that we know, within our bounds. Undefined: the client leaves it to us. */
export function parseTimeout(header: string | undefined): number | undefined {
  for (const kind of (header ?? '').split(',')) {
    const seconds = /^\s*(?:second-(\d+)|infinite)\s*$/i.exec(kind);
    if (!seconds) continue;
    const wanted = seconds[1] === undefined ? MAX_TIMEOUT_SEC : Number(seconds[1]);
    return Math.min(Math.max(wanted, 1), MAX_TIMEOUT_SEC) * 1000;
  }
  return undefined;
}

export const DEFAULT_TIMEOUT_MS = DEFAULT_TIMEOUT_SEC * 1000;

/** Is it deep? */
export function parseLockDepth(header: string | undefined): boolean {
  const depth = header?.trim().toLowerCase() ?? 'infinity';
  if (depth !== '0' && depth !== 'infinity') throw new ShareError(400, 'Depth is 0 or infinity');
  return depth === 'infinity';
}

/** The npm package webdav leaves the brackets out, of which nothing else can be meant. */
export function parseLockToken(header: string | undefined): string {
  const token = /^\s*(?:<([^<>\s]+)>|([^<>\s]+))\s*$/
    .exec(header ?? '')
    ?.slice(1)
    .find(Boolean);
  if (token === undefined) throw new ShareError(400, 'no Lock-Token, or a malformed one');
  return token;
}
