/**
 * Paths (decoded, '/'-separated, the root is '') ⇄ request targets and hrefs (percent-encoded).
 */
import { decodeName, encodeName } from '../names.js';

/** RFC 3986: unreserved, and what encodeURIComponent leaves as it is. */
const PLAIN = /^[A-Za-z0-9\-._~!*'()]*$/;

export function encodeSegment(name: string): string {
  if (PLAIN.test(name)) return name;
  if (name.isWellFormed()) return encodeURIComponent(name);
  let out = '';
  for (const byte of encodeName(name)) {
    const character = String.fromCharCode(byte);
    out += PLAIN.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** `collection`: with the trailing slash that some servers want of collections. */
export function toTarget(basePath: string, path: string, collection = false): string {
  const encoded = path.split('/').map(encodeSegment).join('/');
  return basePath + encoded + (collection || path === '' ? '/' : '');
}

/** Percent-decoded once; a `%` that begins no escape stands for itself. */
export function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return decodeBytes(segment);
  }
}

function decodeBytes(segment: string): string {
  const parts: Buffer[] = [];
  for (const piece of segment.split(/(%[0-9a-fA-F]{2})/)) {
    const escape = /^%([0-9a-fA-F]{2})$/.exec(piece);
    parts.push(escape ? Buffer.of(parseInt(escape[1]!, 16)) : Buffer.from(piece, 'utf8'));
  }
  return decodeName(Buffer.concat(parts));
}

export interface HrefOptions {
  /** phodav writes `#`, `?` and `%` of names into hrefs as they are. */
  readonly rawDelimiters: boolean;
}

/** Raw segments of an href without empty ones at the end; undefined when it is no path. */
export function hrefSegments(href: string, options: HrefOptions): string[] | undefined {
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/.exec(href);
  let path = absolute ? href.slice(absolute[0].length) : href;
  if (!options.rawDelimiters) path = /^[^?#]*/.exec(path)![0];
  if (path === '') return absolute ? [] : undefined;
  if (!path.startsWith('/')) return undefined;
  const segments = path.split('/').slice(1);
  while (segments.at(-1) === '') segments.pop();
  return segments;
}

/** The decoded name, or the raw one, is `name`: phodav leaves it open which one it meant. */
export function segmentMeans(segment: string, name: string, options: HrefOptions): boolean {
  return decodeSegment(segment) === name || (options.rawDelimiters && segment === name);
}

/** No name on Linux; from a server an attempt (or an accident) to lead elsewhere. */
export function isUnsafeName(name: string): boolean {
  return name === '' || name === '.' || name === '..' || /[/\0]/.test(name);
}

export function joinPath(parent: string, name: string): string {
  return `${parent}/${name}`;
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}
