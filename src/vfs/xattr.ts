/**
 * Extended attributes of the user namespace as dead properties {urn:davport:xattr}x-NAME with the value in base64: XML carries no bytes.
 * Other namespaces (security, trusted, POSIX ACLs) are answered without a request: `ls -l` asks for them on every file.
 */
import { decodeName, encodeName } from '../names.js';
import { XATTR_NS } from '../webdav/types.js';
import type { Core } from './core.js';
import type { RequestContext } from './filesystem.js';
import { FsError } from './filesystem.js';
import { gated } from './gate.js';
import type { Node } from './node.js';
import type { Uploads } from './uploads.js';

const USER_PREFIX = 'user.';
const NAME_PREFIX = 'x-';
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
/** VFS limit of Linux for one value (XATTR_SIZE_MAX). */
const VALUE_MAX_BYTES = 65536;

export class Xattrs {
  readonly #core: Core;
  readonly #uploads: Uploads;

  constructor(core: Core, uploads: Uploads) {
    this.#core = core;
    this.#uploads = uploads;
  }

  async get(node: Node, name: string, ctx: RequestContext): Promise<Uint8Array> {
    const property = await this.#property(node, name, 'ENODATA', ctx);
    if (node.data?.created === true) throw new FsError('ENODATA');
    const values = await this.#core.client.properties(node.path, [property], {
      signal: ctx.signal,
    });
    const text = values.get(`${property.ns} ${property.name}`);
    if (text === undefined) throw new FsError('ENODATA');
    return Buffer.from(text, 'base64');
  }

  async set(
    node: Node,
    name: string,
    value: Uint8Array,
    flags: number,
    ctx: RequestContext,
  ): Promise<void> {
    this.#core.access.check();
    if (value.length > VALUE_MAX_BYTES) throw new FsError('E2BIG');
    const property = await this.#property(node, name, 'EOPNOTSUPP', ctx);
    // A property needs something at the peer to belong to.
    await this.#uploads.upload(node, ctx.signal);
    if ((flags & (XATTR_CREATE | XATTR_REPLACE)) !== 0) {
      const exists = await this.#exists(node, property, ctx);
      if (exists && (flags & XATTR_CREATE) !== 0) throw new FsError('EEXIST');
      if (!exists && (flags & XATTR_REPLACE) !== 0) throw new FsError('ENODATA');
    }
    const text = Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
    await this.#change(node, { ...property, value: text }, ctx);
    // phodav says 200 whether its file system took the attribute or not.
    if (!(await this.#exists(node, property, ctx))) throw new FsError('EOPNOTSUPP');
  }

  async list(node: Node, ctx: RequestContext): Promise<string[]> {
    if (
      node.unlinked ||
      node.data?.created === true ||
      !(await this.#core.profile(ctx.signal)).deadProperties
    )
      return [];
    const names = await this.#core.client.propertyNames(node.path, { signal: ctx.signal });
    return names
      .filter(({ ns, name }) => ns === XATTR_NS && name.startsWith(NAME_PREFIX))
      .map(({ name }) => USER_PREFIX + decodeProperty(name));
  }

  async remove(node: Node, name: string, ctx: RequestContext): Promise<void> {
    this.#core.access.check();
    const property = await this.#property(node, name, 'ENODATA', ctx);
    // What is not at the peer yet has none.
    const exists = node.data?.created !== true && (await this.#exists(node, property, ctx));
    if (!exists) throw new FsError('ENODATA');
    await this.#change(node, { ...property, value: undefined }, ctx);
  }

  async #property(
    node: Node,
    name: string,
    refused: 'ENODATA' | 'EOPNOTSUPP',
    ctx: RequestContext,
  ): Promise<{ ns: string; name: string }> {
    if (!name.startsWith(USER_PREFIX)) throw new FsError('EOPNOTSUPP');
    const profile = await this.#core.profile(ctx.signal);
    if (!profile.deadProperties) throw new FsError('EOPNOTSUPP');
    if (node.unlinked) throw new FsError(refused);
    return { ns: XATTR_NS, name: NAME_PREFIX + encodeProperty(name.slice(USER_PREFIX.length)) };
  }

  async #exists(
    node: Node,
    property: { ns: string; name: string },
    ctx: RequestContext,
  ): Promise<boolean> {
    const values = await this.#core.client.properties(node.path, [property], {
      signal: ctx.signal,
    });
    return values.has(`${property.ns} ${property.name}`);
  }

  async #change(
    node: Node,
    change: { ns: string; name: string; value: string | undefined },
    ctx: RequestContext,
  ): Promise<void> {
    await gated(node, async () => {
      const told = await this.#core.client.proppatch(node.path, [change], { signal: ctx.signal });
      await this.#core.sameContent(node, told, ctx.signal);
    });
  }
}

/** Bytes outside letters, digits, '.' and '-' as `_HH`: what remains is an XML name. */
function encodeProperty(name: string): string {
  let out = '';
  for (const byte of encodeName(name)) {
    const character = String.fromCharCode(byte);
    out += /[A-Za-z0-9.-]/.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}

function decodeProperty(name: string): string {
  const bytes: number[] = [];
  const text = name.slice(NAME_PREFIX.length);
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '_') {
      bytes.push(Number.parseInt(text.slice(i + 1, i + 3), 16));
      i += 2;
    } else {
      bytes.push(text.charCodeAt(i));
    }
  }
  return decodeName(Buffer.from(bytes));
}
