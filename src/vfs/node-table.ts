/** All nodes of a mount, and the names that lead to them. */
import type { Resource } from '../webdav/types.js';
import { ROOT_INO } from './filesystem.js';
import { Node, type NodeName } from './node.js';

/** A folder of which the peer hasn't told anything. */
export function unknownCollection(name: string): Resource {
  return {
    name,
    kind: 'collection',
    size: 0,
    mtime: undefined,
    created: undefined,
    etag: undefined,
    executable: undefined,
    posix: undefined,
  };
}

export class NodeTable {
  readonly root: Node = new Node(
    ROOT_INO,
    ROOT_INO,
    undefined,
    '',
    unknownCollection(''),
    -Infinity,
  );
  readonly #nodes = new Map<number, Node>([[ROOT_INO, this.root]]);
  /** INVARIANT: exactly the inode numbers of live nodes. */
  readonly #inos = new Set<number>([ROOT_INO]);
  /** Files with several names. */
  readonly #files = new Map<string, Node>();
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
    const ino = this.#takeIno(resource.posix?.ino, () => `${parent.path}/${name}`);
    const node = new Node(this.#nextId++, ino, parent, name, resource, at);
    this.#nodes.set(node.id, node);
    parent.children.set(name, node);
    this.index(node);
    return node;
  }

  /** The node of the file that the resource is a name of, where it is known to have several. */
  fileOf(resource: Resource): Node | undefined {
    const key = fileKeyOf(resource);
    const node = key === undefined ? undefined : this.#files.get(key);
    // What is indexed may be of an older answer.
    return node !== undefined && !node.unlinked && fileKeyOf(node.resource) === key
      ? node
      : undefined;
  }

  /** To be called when the peer has told of the node. */
  index(node: Node): void {
    const key = fileKeyOf(node.resource);
    if (key === node.fileKey) return;
    this.#unindex(node);
    node.fileKey = key;
    if (key !== undefined) this.#files.set(key, node);
  }

  #unindex({ fileKey, id }: Node): void {
    if (fileKey !== undefined && this.#files.get(fileKey)?.id === id) this.#files.delete(fileKey);
  }

  /** REQUIRES: the name is free. */
  addName(node: Node, parent: Node, name: string): void {
    node.links.push({ parent, name });
    parent.children.set(name, node);
    this.index(node);
  }

  /** The name no longer leads to this node. Without a name it is unlinked. */
  removeName(node: Node, parent: Node, name: string): void {
    if (parent.children.get(name) === node) parent.children.delete(name);
    if (node.parent === parent && node.name === name) {
      const next = node.links.shift();
      if (next !== undefined) [node.parent, node.name] = [next.parent, next.name];
      else node.unlinked = true;
    } else {
      const at = node.links.findIndex((link) => link.parent === parent && link.name === name);
      if (at >= 0) node.links.splice(at, 1);
    }
    this.dropIfUnused(node);
    this.dropIfUnused(parent);
  }

  /** No name leads to this node any more. */
  detach(node: Node): void {
    for (const { parent, name } of node.names.reverse()) this.removeName(node, parent, name);
  }

  /** After a rename. REQUIRES: the new name is free (its former node was detached). */
  rename(node: Node, from: NodeName, to: NodeName): void {
    if (from.parent.children.get(from.name) === node) from.parent.children.delete(from.name);
    const at = node.links.findIndex(
      ({ parent, name }) => parent === from.parent && name === from.name,
    );
    if (at >= 0) node.links[at] = to;
    else [node.parent, node.name] = [to.parent, to.name];
    to.parent.children.set(to.name, node);
    this.dropIfUnused(from.parent);
  }

  forget(id: number, count: number): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    node.lookups = Math.max(0, node.lookups - count);
    this.dropIfUnused(node);
  }

  /**
   * What an answer may name: the node itself, or the one that took its place. It may have been forgotten while the answer was on its way;
   * then it is there again.
   */
  present(node: Node): Node {
    if (this.#nodes.has(node.id)) return node;
    const { parent, name } = node;
    if (parent === undefined || node.unlinked) return node;
    const other = parent.children.get(name);
    if (other !== undefined && other !== node) return this.present(other);
    this.present(parent);
    parent.children.set(name, node);
    this.#nodes.set(node.id, node);
    this.#inos.add(node.ino);
    this.index(node);
    return node;
  }

  dropIfUnused(node: Node): void {
    if (node.isRoot || node.lookups > 0 || node.children.size > 0 || node.data !== undefined)
      return;
    if (!this.#nodes.delete(node.id)) return;
    this.#inos.delete(node.ino);
    this.#unindex(node);
    for (const { parent, name } of node.names) {
      if (parent.children.get(name) === node) parent.children.delete(name);
      this.dropIfUnused(parent);
    }
  }

  /**
   * The peer's number, else one derived from the path: either is the same after a remount. A file that is replaced or renamed keeps
   * its number while it lives, and the peer may give that to another file meanwhile; but two live files with one number are hard links
   * to every program that copies trees.
   */
  #takeIno(told: number | undefined, pathOf: () => string): number {
    if (told !== undefined && !this.#inos.has(told)) {
      this.#inos.add(told);
      return told;
    }
    const path = pathOf();
    for (let salt = 0; ; salt++) {
      const ino = hash53(path, salt);
      if (ino > ROOT_INO && !this.#inos.has(ino)) {
        this.#inos.add(ino);
        return ino;
      }
    }
  }
}

/** Which file at the peer a resource is a name of; undefined where it has, or may have, no other. */
export function fileKeyOf({ posix }: Resource): string | undefined {
  if (posix?.dev === undefined || posix.ino === undefined) return undefined;
  return `${posix.dev}:${posix.ino}`;
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
