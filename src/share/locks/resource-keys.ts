import fs from 'node:fs';
import { decodeName } from '../../names.js';
import { ofFd, partsOf, type FsPath } from '../fs-path.js';
import type { Place } from '../place.js';
import type { Root } from '../root.js';

/**
 * By what a lock knows a resource: paths from the root down, '' being the root itself. Two where symbolic links are on the way: the
 * path of the URL, and where that leads. A lock on either is a lock of the resource.
 */
export type ResourceKeys = readonly string[];

/** `segments`: of the URL by which `place` was found. */
export function keysOf(root: Root, place: Place, segments: readonly string[]): ResourceKeys {
  const ofUrl = keyOfUrl(segments);
  const canonical = keyOfPlace(root, place);
  return canonical === undefined || canonical === ofUrl ? [ofUrl] : [ofUrl, canonical];
}

export function keyOfUrl(segments: readonly string[]): string {
  return segments.map((name) => `/${name}`).join('');
}

/** Undefined: somebody has moved its folder out of the root. */
export function keyOfPlace(root: Root, { parentFd, name }: Place): string | undefined {
  return keyOf(root, parentFd, name);
}

/** Of a path that begins at an open folder. */
export function keyOfPath(root: Root, path: FsPath): string | undefined {
  const parts = partsOf(path);
  return parts && keyOf(root, parts.fd, parts.name);
}

function keyOf(root: Root, parentFd: number, name: string): string | undefined {
  const folder = pathBelow(root, parentFd);
  return folder === undefined || name === '' ? folder : `${folder}/${name}`;
}

/** Where the open folder is now, as the kernel knows it. */
function pathBelow(root: Root, fd: number): string | undefined {
  const top = pathOfFd(root.fd);
  const path = fd === root.fd ? top : pathOfFd(fd);
  if (path === top) return '';
  const prefix = top === '/' ? '/' : `${top}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length - 1) : undefined;
}

function pathOfFd(fd: number): string {
  return decodeName(fs.readlinkSync(ofFd(fd), { encoding: 'buffer' }));
}

/** The collections they are members of; the root is member of none. */
export function parentsOf(keys: ResourceKeys): ResourceKeys {
  return keys.flatMap((key) => parentOf(key) ?? []);
}

export function parentOf(key: string): string | undefined {
  return key === '' ? undefined : key.slice(0, key.lastIndexOf('/'));
}

/** Is `inner` strictly below `outer`? */
export function isBelow(outer: string, inner: string): boolean {
  return inner.length > outer.length && inner[outer.length] === '/' && inner.startsWith(outer);
}
