/**
 * Dead properties: extended attributes of the file, `user.dav.{namespace}name`, percent-encoded; what they can't take is kept beside the
 * file (property-store.ts). Either way the value is the content of the property element as XML, after its attributes (xml:lang) if it
 * has any.
 */
import type { PropertyName } from '../webdav/types.js';
import { errnoCode } from './errors.js';
import type { FsPath } from './fs-path.js';
import type { SystemCalls } from './options.js';
import { readStored, writeStored } from './property-store.js';
import { formatAttributes, formatContent, escapeXml } from './xml-text.js';
import type { XmlElement } from './xml-reader.js';

const PREFIX = 'user.dav.';
/** Of Linux: XATTR_NAME_MAX. */
const MAX_NAME_BYTES = 255;

export class DeadProperties {
  readonly #calls: SystemCalls | undefined;

  constructor(calls: SystemCalls | undefined) {
    this.#calls = calls;
  }

  /** The property element, or undefined when there is no such property. */
  get(path: FsPath, property: PropertyName): string | undefined {
    const value = this.#attribute(path, property) ?? readStored(path).get(keyOf(property));
    return value === undefined ? undefined : formatStored(property, value);
  }

  list(path: FsPath): PropertyName[] {
    return [...this.#all(path).values()].map(({ property }) => property);
  }

  /** The elements of all of them. */
  elements(path: FsPath): string {
    let elements = '';
    for (const { property, value } of this.#all(path).values()) {
      elements += formatStored(property, value);
    }
    return elements;
  }

  /** Sets or (undefined) removes. Gives the function that takes it back. */
  set(path: FsPath, property: PropertyName, element: XmlElement | undefined): () => void {
    const before = this.#attribute(path, property) ?? readStored(path).get(keyOf(property));
    this.#put(path, property, element && formatForStore(element));
    return () => this.#put(path, property, before);
  }

  /** All of them, to a file that is a copy of another. */
  copy(from: FsPath, to: FsPath): void {
    for (const { property, value } of this.#all(from).values()) this.#put(to, property, value);
  }

  /** To a file that will have the name of another, and then what is beside it, too. */
  inherit(from: FsPath, to: FsPath): void {
    for (const name of this.#names(from)) {
      const [property, value] = [attributeProperty(name), this.#raw(from, name)];
      if (!property || value === undefined || this.#tryAttribute(to, name, value)) continue;
      writeStored(from, new Map([...readStored(from), [keyOf(property), value]]));
    }
  }

  #all(path: FsPath): Map<string, { property: PropertyName; value: string }> {
    const all = new Map<string, { property: PropertyName; value: string }>();
    for (const [key, value] of readStored(path)) {
      const property = propertyOf(key);
      if (property) all.set(key, { property, value });
    }
    for (const name of this.#names(path)) {
      const property = attributeProperty(name);
      const value = property && this.#raw(path, name);
      if (property && value !== undefined) all.set(keyOf(property), { property, value });
    }
    return all;
  }

  /** Undefined removes it. In one of the two places alone. */
  #put(path: FsPath, property: PropertyName, value: string | undefined): void {
    const name = attributeName(property);
    const isAttribute =
      value !== undefined && name !== undefined && this.#tryAttribute(path, name, value);
    const stored = readStored(path);
    const key = keyOf(property);
    if (!isAttribute && value !== undefined) {
      writeStored(path, new Map([...stored, [key, value]]));
    } else if (stored.has(key)) {
      writeStored(path, new Map([...stored].filter(([other]) => other !== key)));
    }
    if (!isAttribute && this.#attribute(path, property) !== undefined) {
      this.#calls?.removexattr(path, name!);
    }
  }

  /** False: attributes can't take it. */
  #tryAttribute(path: FsPath, name: string, value: string): boolean {
    if (!this.#calls) return false;
    try {
      this.#calls.setxattr(path, name, Buffer.from(value));
      return true;
    } catch (error) {
      if (isUnsupported(error) || isTooLarge(error)) return false;
      throw error;
    }
  }

  #attribute(path: FsPath, property: PropertyName): string | undefined {
    const name = attributeName(property);
    return name === undefined ? undefined : this.#raw(path, name);
  }

  #raw(path: FsPath, name: string): string | undefined {
    try {
      return this.#calls?.getxattr(path, name)?.toString('utf8');
    } catch (error) {
      if (isUnsupported(error) || errnoCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  #names(path: FsPath): string[] {
    try {
      const all = this.#calls?.listxattr(path) ?? [];
      return all.filter((name) => name.startsWith(PREFIX));
    } catch (error) {
      if (isUnsupported(error) || errnoCode(error) === 'ENOENT') return [];
      throw error;
    }
  }
}

function isUnsupported(error: unknown): boolean {
  // EPERM: user attributes are for regular files and folders only (xattr(7)).
  return ['ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EACCES', 'ENOSYS'].includes(errnoCode(error) ?? '');
}

/** For the one value, or together with the others of the file: file systems say it in different words. */
function isTooLarge(error: unknown): boolean {
  return ['E2BIG', 'ERANGE', 'ENOSPC', 'EDQUOT', 'EINVAL'].includes(errnoCode(error) ?? '');
}

function keyOf({ ns, name }: PropertyName): string {
  return `{${ns}}${name}`;
}

function propertyOf(key: string): PropertyName | undefined {
  const match = /^\{([^}]*)\}(.+)$/s.exec(key);
  return match ? { ns: match[1]!, name: match[2]! } : undefined;
}

/** Undefined: no room for it. */
function attributeName(property: PropertyName): string | undefined {
  const full = `${PREFIX}${encodeURIComponent(keyOf(property))}`;
  return full.length <= MAX_NAME_BYTES ? full : undefined;
}

function attributeProperty(attribute: string): PropertyName | undefined {
  try {
    return propertyOf(decodeURIComponent(attribute.slice(PREFIX.length)));
  } catch {
    return undefined;
  }
}

/** `attributes>content`: what stands between the tag's name and the end tag. */
function formatForStore(element: XmlElement): string {
  return `${formatAttributes(element)}>${formatContent(element)}`;
}

function formatStored({ ns, name }: PropertyName, value: string): string {
  const tag = ns === '' ? name : `x:${name}`;
  const declared = ns === '' ? ' xmlns=""' : ` xmlns:x="${escapeXml(ns)}"`;
  return `<${tag}${declared}${value}</${tag}>`;
}
