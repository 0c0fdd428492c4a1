/**
 * Request targets and hrefs ⇄ lists of names. A target is decoded once, byte by byte; what could mean another place on the way to the
 * file system (an encoded slash, a NUL, a dot segment) is refused instead of interpreted.
 */
import { decodeName, encodeName } from '../names.js';
import { ShareError } from './errors.js';

export interface TargetPath {
  /** Decoded names from the root down; none for the root itself. */
  readonly segments: readonly string[];
  /** The client means a collection. */
  readonly trailingSlash: boolean;
}

const PLAIN_PATH = /^[\x21-\x24\x26-\x7e]*$/;

/** `target`: origin form, absolute form (both RFC 9112 section 3.2), or the value of Destination. */
export function parseTargetPath(target: string): TargetPath {
  const path = pathOf(target);
  const segments: string[] = [];
  for (const raw of path.split('/')) {
    if (raw === '') continue;
    segments.push(decodeSegment(raw));
  }
  return { segments, trailingSlash: path.endsWith('/') };
}

function pathOf(target: string): string {
  let path = target;
  const scheme = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(path);
  if (scheme) path = path.slice(scheme[0].length) || '/';
  // A fragment is not for servers (RFC 9112 section 3.2): to cut it off would act on another resource than was meant.
  if (path.includes('#')) throw new ShareError(400, 'a fragment in the target');
  const query = path.indexOf('?');
  if (query >= 0) path = path.slice(0, query);
  if (!path.startsWith('/')) throw new ShareError(400, 'the target is no absolute path');
  return path;
}

function decodeSegment(raw: string): string {
  const name = PLAIN_PATH.test(raw) ? raw : decodeName(percentDecode(raw));
  if (name === '.' || name === '..') throw new ShareError(400, 'a dot segment in the target');
  if (name.includes('/') || name.includes('\0')) {
    throw new ShareError(400, 'an encoded slash or NUL in the target');
  }
  return name;
}

/** node:http hands over raw bytes above 0x7F as latin1 characters. */
export function percentDecode(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (!text.includes('%')) return bytes;
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at]!;
    if (byte === 0x25) {
      const hex = text.slice(at + 1, at + 3);
      if (!/^[0-9a-f]{2}$/i.test(hex)) throw new ShareError(400, 'a stray % in the target');
      byte = Number.parseInt(hex, 16);
      at += 2;
    }
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

/** Characters that stay: RFC 3986 unreserved. */
const UNRESERVED = /^[A-Za-z0-9\-._~]*$/;

export function encodeSegment(name: string): string {
  if (UNRESERVED.test(name)) return name;
  if (name.isWellFormed()) return encodeURIComponent(name);
  return percentEncode(encodeName(name));
}

/** Every byte but the unreserved ones and '/'. */
export function percentEncode(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    out += /[A-Za-z0-9\-._~/]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** Path-absolute href (RFC 4918 section 8.3); a collection's ends with a slash. */
export function formatHref(segments: readonly string[], collection: boolean): string {
  if (segments.length === 0) return '/';
  const path = `/${segments.map(encodeSegment).join('/')}`;
  return collection ? `${path}/` : path;
}

/** Is `inner` the same as or below `outer`? */
export function isWithin(outer: readonly string[], inner: readonly string[]): boolean {
  return outer.length <= inner.length && outer.every((name, at) => inner[at] === name);
}
