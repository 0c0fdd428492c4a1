/**
 * Dead properties as extended attributes of the file: `user.dav.{namespace}name`, percent-encoded; the value is the content of the
 * property element as XML, after its attributes (xml:lang) if it has any.
 */
import type { PropertyName } from '../webdav/types.js';
import { errnoCode, ShareError } from './errors.js';
import type { FsPath } from './fs-path.js';
import type { AttributeCalls } from './options.js';
import { formatAttributes, formatContent, escapeXml } from './xml-text.js';
import type { XmlElement } from './xml-reader.js';

const PREFIX = 'user.dav.';
/** Of Linux: XATTR_NAME_MAX. */
const MAX_NAME_BYTES = 255;

export interface DeadProperty extends PropertyName {
  /** The whole element as XML. */
  readonly xml: string;
}

export class DeadProperties {
  readonly #calls: AttributeCalls | undefined;

  constructor(calls: AttributeCalls | undefined) {
    this.#calls = calls;
  }

  get available(): boolean {
    return this.#calls !== undefined;
  }

  /** The property element, or undefined when there is no such property. */
  get(path: FsPath, property: PropertyName): string | undefined {
    const name = attributeName(property);
    if (!this.#calls || name === undefined) return undefined;
    const value = this.raw(path, name);
    return value && formatStored(property, value);
  }

  /** For `set` to undo: what is stored under the name now. */
  raw(path: FsPath, name: string): Buffer | undefined {
    try {
      return this.#calls?.getxattr(path, name);
    } catch (error) {
      if (isUnsupported(error) || errnoCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  list(path: FsPath): PropertyName[] {
    return this.#names(path).flatMap((name) => propertyOf(name) ?? []);
  }

  /** Sets or (undefined) removes. Gives the function that takes it back. */
  set(path: FsPath, property: PropertyName, element: XmlElement | undefined): () => void {
    const calls = this.#calls;
    const name = attributeName(property);
    if (!calls) throw new ShareError(403, 'no dead properties here');
    if (name === undefined) throw new ShareError(507, 'the name of the property is too long');
    const before = this.raw(path, name);
    if (element) this.#store(path, name, formatForStore(element));
    else if (before) calls.removexattr(path, name);
    return () => {
      if (before) calls.setxattr(path, name, before);
      else if (element) calls.removexattr(path, name);
    };
  }

  /** All of them, to a file that takes the place of another or is its copy. Best effort: the content is what counts. */
  copy(from: FsPath, to: FsPath): void {
    for (const name of this.#names(from)) {
      const value = this.raw(from, name);
      try {
        if (value) this.#calls?.setxattr(to, name, value);
      } catch (error) {
        if (isUnsupported(error)) return;
        throw error;
      }
    }
  }

  #store(path: FsPath, name: string, value: Buffer): void {
    try {
      this.#calls?.setxattr(path, name, value);
    } catch (error) {
      if (isUnsupported(error)) throw new ShareError(403, 'no extended attributes here');
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

/** Undefined: no room for it. */
function attributeName({ ns, name }: PropertyName): string | undefined {
  const full = `${PREFIX}${encodeURIComponent(`{${ns}}${name}`)}`;
  return full.length <= MAX_NAME_BYTES ? full : undefined;
}

function propertyOf(attribute: string): PropertyName | undefined {
  try {
    const match = /^\{([^}]*)\}(.+)$/s.exec(decodeURIComponent(attribute.slice(PREFIX.length)));
    return match ? { ns: match[1]!, name: match[2]! } : undefined;
  } catch {
    return undefined;
  }
}

/** `attributes>content`: what stands between the tag's name and the end tag. */
function formatForStore(element: XmlElement): Buffer {
  return Buffer.from(`${formatAttributes(element)}>${formatContent(element)}`);
}

function formatStored({ ns, name }: PropertyName, value: Buffer): string {
  const tag = ns === '' ? name : `x:${name}`;
  const declared = ns === '' ? ' xmlns=""' : ` xmlns:x="${escapeXml(ns)}"`;
  return `<${tag}${declared}${value.toString('utf8')}</${tag}>`;
}
