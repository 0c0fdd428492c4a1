/**
 * Nodes: what the kernel holds references on. A node is a name in a directory, or what is left of one that was removed while in use.
 */
import type { Resource, Timespec } from '../webdav/types.js';
import type { FileData } from './file-data.js';
import { ROOT_INO } from './filesystem.js';

export class Node {
  /** FUSE node id: never used twice in the life of a mount. */
  readonly id: number;
  /** st_ino. */
  readonly ino: number;
  /** Undefined for the root and for a detached node. */
  parent: Node | undefined;
  name: string;
  resource: Resource;
  /** Monotonic ms when the peer last told `resource`; -Infinity: ask again before use. */
  resourceAt: number;
  /** References the kernel holds (lookup count). */
  lookups = 0;
  /** Names looked up below. INVARIANT: child.parent === this for each. */
  readonly children = new Map<string, Node>();
  /** Content in use: open handles, or data that the peer doesn't have yet. */
  data: FileData | undefined;
  /** The name is gone; the node lives while handles are open. */
  unlinked = false;
  /** Resolves when the removal or rename of this node that is on the way is over. */
  gate: Promise<void> | undefined;
  /** The peer has another version, or nothing, under the name; this node lives on for the handles of the version that was opened. */
  replaced = false;
  /** Own changes of names below (directories): an answer that was asked for before one of them doesn't tell of that name. */
  readonly changes = new ChangeLog();
  /** Attributes missed below since the last listing (directories): decides when one listing beats many single requests. */
  misses = 0;
  /** What the writer saw as mtime, while the file is still the version that was written here. */
  writtenMtime: { readonly mtime: Timespec; readonly etag: string | undefined } | undefined;
  /** What utimens said: reads don't change it, and no peer stores it. */
  atime: Timespec | undefined;
  /** What the kernel was told last: by its size it ends reads. */
  told: Resource | undefined;
  /** ETag of the version whose pages the kernel may have. */
  pagesEtag: string | undefined;
  /** Target of a symbolic link, with the ETag it was read from. */
  linkTarget: { readonly target: string; readonly etag: string | undefined } | undefined;

  constructor(
    id: number,
    ino: number,
    parent: Node | undefined,
    name: string,
    resource: Resource,
    at: number,
  ) {
    this.id = id;
    this.ino = ino;
    this.parent = parent;
    this.name = name;
    this.resource = resource;
    this.resourceAt = at;
  }

  /** Decoded path at the peer, '' for the root. */
  get path(): string {
    return this.parent === undefined ? '' : `${this.parent.path}/${this.name}`;
  }

  get isRoot(): boolean {
    return this.id === ROOT_INO;
  }

  get isDirectory(): boolean {
    return this.resource.kind === 'collection';
  }

  /** The peer's state doesn't tell this file's: it was created or changed here and is not uploaded. */
  get isLocal(): boolean {
    return this.data?.dirty === true;
  }
}

const ROOT_RESOURCE: Resource = {
  name: '',
  kind: 'collection',
  size: 0,
  mtime: undefined,
  created: undefined,
  etag: undefined,
  executable: undefined,
  posix: undefined,
};

/** When names were last changed by us, by a counter. Bounded: of names that were dropped it only knows that they are older. */
export class ChangeLog {
  static readonly #MAX_NAMES = 4096;
  readonly #last = new Map<string, number>();
  #dropped = 0;

  note(name: string, sequence: number): void {
    this.#last.delete(name);
    this.#last.set(name, sequence);
    if (this.#last.size <= ChangeLog.#MAX_NAMES) return;
    for (const [oldest, at] of this.#last) {
      this.#last.delete(oldest);
      this.#dropped = at;
      break;
    }
  }

  /** Counter of the last change of a name, or of one that may have been later. */
  last(name: string): number {
    return this.#last.get(name) ?? this.#dropped;
  }

  /** Names changed after `sequence`; undefined when not all are known any more. */
  since(sequence: number): string[] | undefined {
    if (this.#dropped > sequence) return undefined;
    const names: string[] = [];
    for (const [name, at] of this.#last) if (at > sequence) names.push(name);
    return names;
  }
}

export class NodeTable {
  readonly root: Node = new Node(ROOT_INO, ROOT_INO, undefined, '', ROOT_RESOURCE, -Infinity);
  readonly #nodes = new Map<number, Node>([[ROOT_INO, this.root]]);
  /** INVARIANT: exactly the path-derived inode numbers of live nodes. */
  readonly #inos = new Set<number>([ROOT_INO]);
  #nextId = ROOT_INO + 1;

  get size(): number {
    return this.#nodes.size;
  }

  get(id: number): Node | undefined {
    return this.#nodes.get(id);
  }

  all(): IterableIterator<Node> {
    return this.#nodes.values();
  }

  create(parent: Node, name: string, resource: Resource, at: number): Node {
    const ino = resource.posix?.ino ?? this.#newIno(`${parent.path}/${name}`);
    const node = new Node(this.#nextId++, ino, parent, name, resource, at);
    this.#nodes.set(node.id, node);
    parent.children.set(name, node);
    return node;
  }

  /** The name no longer leads to this node. */
  detach(node: Node): void {
    const { parent } = node;
    if (parent?.children.get(node.name) === node) parent.children.delete(node.name);
    node.unlinked = true;
    this.dropIfUnused(node);
    if (parent !== undefined) this.dropIfUnused(parent);
  }

  /** After a rename. REQUIRES: the new name is free (its former node was detached). */
  reparent(node: Node, parent: Node, name: string): void {
    const former = node.parent;
    if (former?.children.get(node.name) === node) former.children.delete(node.name);
    node.parent = parent;
    node.name = name;
    parent.children.set(name, node);
    if (former !== undefined) this.dropIfUnused(former);
  }

  forget(id: number, count: number): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    node.lookups = Math.max(0, node.lookups - count);
    this.dropIfUnused(node);
  }

  dropIfUnused(node: Node): void {
    let at: Node | undefined = node;
    while (
      at !== undefined &&
      !at.isRoot &&
      at.lookups === 0 &&
      at.children.size === 0 &&
      at.data === undefined
    ) {
      if (!this.#nodes.delete(at.id)) return;
      this.#inos.delete(at.ino);
      const parent: Node | undefined = at.parent;
      if (parent?.children.get(at.name) === at) parent.children.delete(at.name);
      at = parent;
    }
  }

  /**
   * Derived from the path, so that it is the same after a remount. A file renamed away keeps its number while it lives: a new file at
   * its old path then gets another, for two live files with one number are hard links to every program that copies trees.
   */
  #newIno(path: string): number {
    for (let salt = 0; ; salt++) {
      const ino = hash53(path, salt);
      if (ino > ROOT_INO && !this.#inos.has(ino)) {
        this.#inos.add(ino);
        return ino;
      }
    }
  }
}

/** 53-bit hash of a string: two 32-bit multiplicative mixes with a final avalanche. */
function hash53(text: string, salt: number): number {
  let high = 0x9e3779b9 ^ salt;
  let low = 0x85ebca6b ^ Math.imul(salt, 0x27d4eb2f);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 0x85ebca77);
    low = Math.imul(low ^ code, 0xc2b2ae3d);
  }
  high = Math.imul(high ^ (high >>> 16), 0x7feb352d) ^ Math.imul(low ^ (low >>> 15), 0x846ca68b);
  low = Math.imul(low ^ (low >>> 16), 0x7feb352d) ^ Math.imul(high ^ (high >>> 15), 0x846ca68b);
  return (high >>> 11) * 4294967296 + (low >>> 0);
}
