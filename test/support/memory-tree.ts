import { FsError, RENAME_EXCHANGE, RENAME_NOREPLACE, ROOT_INO } from '../../src/vfs/filesystem.js';
import { MemoryNode, now, S_IFDIR } from './memory-node.js';

export const NAME_MAX = 255;

/** The nodes of a MemoryFileSystem and their names. A node lives while a name, a reference or an open handle holds it. */
export class MemoryTree {
  readonly #nodes = new Map<number, MemoryNode>();
  readonly root: MemoryNode;
  #lastId = ROOT_INO;
  /** The cookies 1 and 2 are "." and "..". */
  #lastCookie = 2;

  constructor() {
    this.root = new MemoryNode(ROOT_INO, S_IFDIR | 0o755, process.getuid!(), process.getgid!());
    this.root.parent = this.root;
    this.#nodes.set(ROOT_INO, this.root);
  }

  /** References given out and not forgotten, over all nodes. */
  get references(): number {
    let sum = 0;
    for (const node of this.#nodes.values()) sum += node.lookups;
    return sum;
  }

  node(nodeId: number): MemoryNode {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw new FsError('ESTALE', `no node ${nodeId}`);
    return node;
  }

  directory(nodeId: number): MemoryNode {
    const node = this.node(nodeId);
    if (!node.isDirectory) throw new FsError('ENOTDIR');
    return node;
  }

  child(directory: MemoryNode, name: string): MemoryNode {
    const node = directory.children.get(name);
    if (node !== undefined) return node;
    throw new FsError(Buffer.byteLength(name) > NAME_MAX ? 'ENAMETOOLONG' : 'ENOENT');
  }

  make(parentId: number, name: string, mode: number, uid: number, gid: number): MemoryNode {
    const parent = this.directory(parentId);
    this.#checkFree(parent, name);
    const node = new MemoryNode((this.#lastId += 1), mode, uid, gid);
    this.#nodes.set(node.id, node);
    if (node.isDirectory) parent.nlink += 1;
    this.#attach(parent, name, node);
    return node;
  }

  link(node: MemoryNode, parentId: number, name: string): void {
    if (node.isDirectory) throw new FsError('EPERM');
    const parent = this.directory(parentId);
    this.#checkFree(parent, name);
    this.#attach(parent, name, node);
    node.nlink += 1;
    node.ctime = now();
  }

  unlink(parentId: number, name: string): void {
    const parent = this.directory(parentId);
    if (this.child(parent, name).isDirectory) throw new FsError('EISDIR');
    this.#detach(parent, name);
  }

  rmdir(parentId: number, name: string): void {
    const parent = this.directory(parentId);
    const node = this.child(parent, name);
    if (!node.isDirectory) throw new FsError('ENOTDIR');
    if (node.children.size > 0) throw new FsError('ENOTEMPTY');
    this.#detach(parent, name);
  }

  rename(from: MemoryNode, name: string, to: MemoryNode, newName: string, flags: number): void {
    const node = this.child(from, name);
    if (Buffer.byteLength(newName) > NAME_MAX) throw new FsError('ENAMETOOLONG');
    const target = to.children.get(newName);
    if (flags & RENAME_EXCHANGE) throw new FsError('EINVAL');
    if (target !== undefined && flags & RENAME_NOREPLACE) throw new FsError('EEXIST');
    // POSIX: two names of one file: nothing happens.
    if (target === node) return;
    if (target !== undefined) {
      this.#checkReplace(node, target);
      this.#detach(to, newName);
    }
    from.children.delete(name);
    from.cookies.delete(name);
    from.touch();
    if (node.isDirectory) from.nlink -= 1;
    this.#attach(to, newName, node);
    if (node.isDirectory) to.nlink += 1;
    node.ctime = now();
  }

  dropIfDead(node: MemoryNode): void {
    if (node.nlink <= 0 && node.lookups === 0 && node.openHandles === 0) {
      this.#nodes.delete(node.id);
    }
  }

  #checkFree(parent: MemoryNode, name: string): void {
    if (parent.children.has(name)) throw new FsError('EEXIST');
    if (Buffer.byteLength(name) > NAME_MAX) throw new FsError('ENAMETOOLONG');
    if (parent.nlink === 0) throw new FsError('ENOENT');
  }

  #checkReplace(node: MemoryNode, target: MemoryNode): void {
    if (node.isDirectory && !target.isDirectory) throw new FsError('ENOTDIR');
    if (!node.isDirectory && target.isDirectory) throw new FsError('EISDIR');
    if (target.children.size > 0) throw new FsError('ENOTEMPTY');
  }

  #attach(parent: MemoryNode, name: string, node: MemoryNode): void {
    parent.children.set(name, node);
    parent.cookies.set(name, (this.#lastCookie += 1));
    if (node.isDirectory) node.parent = parent;
    parent.touch();
  }

  #detach(parent: MemoryNode, name: string): void {
    const node = parent.children.get(name)!;
    parent.children.delete(name);
    parent.cookies.delete(name);
    parent.touch();
    if (node.isDirectory) {
      parent.nlink -= 1;
      node.nlink = 0;
    } else {
      node.nlink -= 1;
    }
    node.ctime = now();
    this.dropIfDead(node);
  }
}
