/**
 * A complete POSIX file system in memory, to test the FUSE side with. Timeouts are 0 unless said, so that each call of a program comes
 * down here. The read of a file with the extended attribute `user.blocked` waits until the caller is interrupted; `user.waiting` and
 * `user.interrupts` of any file tell how many reads wait, and how many were interrupted.
 */
import {
  FsError,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  ROOT_INO,
  type AttributeChange,
  type AttributesAnswer,
  type Awaitable,
  type CreateAnswer,
  type DirectoryEntry,
  type Entry,
  type FileSystem,
  type Invalidator,
  type OpenAnswer,
  type RequestContext,
  type StatfsAnswer,
} from '../../src/vfs/filesystem.js';
import { MemoryNode, now, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './memory-node.js';

const NAME_MAX = 255;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

interface OpenDirectory {
  readonly node: MemoryNode;
  snapshot: readonly {
    readonly name: string;
    readonly node: MemoryNode;
    readonly cookie: number;
  }[];
}

export interface MemoryOptions {
  readonly timeoutMs?: number;
  readonly keepCache?: boolean;
  readonly directIo?: boolean;
}

export class MemoryFileSystem implements FileSystem {
  readonly #nodes = new Map<number, MemoryNode>();
  readonly #files = new Map<number, { node: MemoryNode; flags: number }>();
  readonly #directories = new Map<number, OpenDirectory>();
  readonly #timeoutMs: number;
  readonly #opened: { readonly keepCache: boolean; readonly directIo: boolean };
  #lastId = ROOT_INO;
  #lastHandle = 0;
  /** The cookies 1 and 2 are "." and "..". */
  #lastCookie = 2;
  readonly root: MemoryNode;
  invalidator: Invalidator | undefined;
  #waiting = 0;
  /** Reads that were cut short by an interrupt. */
  interrupts = 0;
  destroyed = false;

  constructor(options: MemoryOptions = {}) {
    this.#timeoutMs = options.timeoutMs ?? 0;
    this.#opened = { keepCache: options.keepCache ?? false, directIo: options.directIo ?? false };
    this.root = new MemoryNode(ROOT_INO, S_IFDIR | 0o755, process.getuid!(), process.getgid!());
    this.root.parent = this.root;
    this.#nodes.set(ROOT_INO, this.root);
  }

  /** Handles that were opened and not released. */
  get openHandles(): number {
    return this.#files.size + this.#directories.size;
  }

  /** References given out and not forgotten, over all nodes. */
  get references(): number {
    let sum = 0;
    for (const node of this.#nodes.values()) sum += node.lookups;
    return sum;
  }

  setInvalidator(invalidator: Invalidator): void {
    this.invalidator = invalidator;
  }

  lookup(parent: number, name: string): Entry {
    return this.#entry(this.#child(this.#directory(parent), name));
  }

  forget(nodeId: number, count: number): void {
    if (nodeId === ROOT_INO) return;
    const node = this.#nodes.get(nodeId);
    if (node === undefined || node.lookups < count) {
      throw new Error(`forget of ${count} references on node ${nodeId} which has ${node?.lookups}`);
    }
    node.lookups -= count;
    this.#dropIfDead(node);
  }

  getattr(nodeId: number): AttributesAnswer {
    return { attributes: this.#node(nodeId).attributes(), attrTimeoutMs: this.#timeoutMs };
  }

  setattr(nodeId: number, change: AttributeChange): AttributesAnswer {
    const node = this.#node(nodeId);
    if (change.size !== undefined) {
      if (!node.isFile) throw new FsError('EISDIR');
      node.content.truncate(change.size);
      node.mtime = now();
    }
    if (change.mode !== undefined) node.mode = (node.mode & S_IFMT) | (change.mode & 0o7777);
    if (change.uid !== undefined) node.uid = change.uid;
    if (change.gid !== undefined) node.gid = change.gid;
    if (change.atime !== undefined) node.atime = change.atime === 'now' ? now() : change.atime;
    if (change.mtime !== undefined) node.mtime = change.mtime === 'now' ? now() : change.mtime;
    node.ctime = now();
    return this.getattr(nodeId);
  }

  readlink(nodeId: number): string {
    return this.#node(nodeId).target;
  }

  mknod(parent: number, name: string, mode: number, ctx: RequestContext): Entry {
    const type = mode & S_IFMT;
    if (type !== 0 && type !== S_IFREG) throw new FsError('EPERM', 'regular files only');
    return this.#entry(this.#make(parent, name, S_IFREG | (mode & 0o7777), ctx));
  }

  mkdir(parent: number, name: string, mode: number, ctx: RequestContext): Entry {
    return this.#entry(this.#make(parent, name, S_IFDIR | (mode & 0o7777), ctx));
  }

  symlink(parent: number, name: string, target: string, ctx: RequestContext): Entry {
    const node = this.#make(parent, name, S_IFLNK | 0o777, ctx);
    node.target = target;
    return this.#entry(node);
  }

  link(nodeId: number, newParent: number, newName: string): Entry {
    const node = this.#node(nodeId);
    if (node.isDirectory) throw new FsError('EPERM');
    const parent = this.#directory(newParent);
    this.#checkFree(parent, newName);
    this.#attach(parent, newName, node);
    node.nlink += 1;
    node.ctime = now();
    return this.#entry(node);
  }

  unlink(parent: number, name: string): void {
    const directory = this.#directory(parent);
    const node = this.#child(directory, name);
    if (node.isDirectory) throw new FsError('EISDIR');
    this.#detach(directory, name);
  }

  rmdir(parent: number, name: string): void {
    const directory = this.#directory(parent);
    const node = this.#child(directory, name);
    if (!node.isDirectory) throw new FsError('ENOTDIR');
    if (node.children.size > 0) throw new FsError('ENOTEMPTY');
    this.#detach(directory, name);
  }

  rename(parent: number, name: string, newParent: number, newName: string, flags: number): void {
    const from = this.#directory(parent);
    const to = this.#directory(newParent);
    const node = this.#child(from, name);
    if (newName.length > NAME_MAX) throw new FsError('ENAMETOOLONG');
    const target = to.children.get(newName);
    if (flags & RENAME_EXCHANGE) throw new FsError('EINVAL');
    if (target !== undefined && flags & RENAME_NOREPLACE) throw new FsError('EEXIST');
    // POSIX: two links of one file: nothing happens.
    if (target === node) return;
    if (target !== undefined) this.#checkReplace(node, target);
    if (target !== undefined) this.#detach(to, newName);
    from.children.delete(name);
    from.cookies.delete(name);
    from.touch();
    if (node.isDirectory) from.nlink -= 1;
    this.#attach(to, newName, node);
    if (node.isDirectory) to.nlink += 1;
    node.ctime = now();
  }

  open(nodeId: number, flags: number): OpenAnswer {
    const node = this.#node(nodeId);
    if (flags & O_TRUNC) {
      node.content.truncate(0);
      node.touch();
    }
    return this.#openFile(node, flags);
  }

  create(
    parent: number,
    name: string,
    mode: number,
    flags: number,
    ctx: RequestContext,
  ): CreateAnswer {
    const node = this.#make(parent, name, S_IFREG | (mode & 0o7777), ctx);
    return { ...this.#openFile(node, flags), entry: this.#entry(node) };
  }

  read(
    _nodeId: number,
    fh: number,
    offset: number,
    length: number,
    ctx: RequestContext,
  ): Awaitable<readonly Uint8Array[]> {
    const { node } = this.#file(fh);
    if (node.xattrs.has('user.blocked')) return this.#waitForInterrupt(ctx.signal);
    node.atime = now();
    return node.content.read(offset, length);
  }

  write(_nodeId: number, fh: number, offset: number, data: Uint8Array): Awaitable<number> {
    const { node, flags } = this.#file(fh);
    const at = flags & O_APPEND ? node.content.size : offset;
    node.content.write(at, data);
    node.touch();
    return data.length;
  }

  flush(_nodeId: number, fh: number): void {
    this.#file(fh);
  }

  release(_nodeId: number, fh: number): void {
    const { node } = this.#file(fh);
    this.#files.delete(fh);
    node.openHandles -= 1;
    this.#dropIfDead(node);
  }

  fsync(_nodeId: number, fh: number): void {
    this.#file(fh);
  }

  fallocate(_nodeId: number, fh: number, mode: number, offset: number, length: number): void {
    if (mode !== 0) throw new FsError('EOPNOTSUPP');
    const { content } = this.#file(fh).node;
    if (content.size < offset + length) content.truncate(offset + length);
  }

  lseek(_nodeId: number, fh: number, offset: number, whence: number): number {
    const { size } = this.#file(fh).node.content;
    if (offset < 0 || offset >= size) throw new FsError('ENXIO');
    if (whence === SEEK_DATA) return offset;
    if (whence === SEEK_HOLE) return size;
    throw new FsError('EINVAL');
  }

  opendir(nodeId: number): OpenAnswer {
    const node = this.#directory(nodeId);
    const fh = (this.#lastHandle += 1);
    this.#directories.set(fh, { node, snapshot: [] });
    node.openHandles += 1;
    return { fh, keepCache: false, directIo: false };
  }

  readdir(
    _nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
  ): void {
    this.#list(fh, offset, (entry) => add(entry));
  }

  readdirplus(
    _nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry, lookup: Entry) => boolean,
  ): void {
    this.#list(fh, offset, (entry, node) => {
      const isDot = entry.offset <= 2;
      const lookup = {
        nodeId: isDot ? 0 : node.id,
        attributes: node.attributes(),
        entryTimeoutMs: this.#timeoutMs,
        attrTimeoutMs: this.#timeoutMs,
      };
      const taken = add(entry, lookup);
      if (taken && !isDot) node.lookups += 1;
      return taken;
    });
  }

  releasedir(_nodeId: number, fh: number): void {
    const open = this.#directories.get(fh);
    if (open === undefined) throw new FsError('EBADF');
    this.#directories.delete(fh);
    open.node.openHandles -= 1;
    this.#dropIfDead(open.node);
  }

  fsyncdir(): void {
    return undefined;
  }

  statfs(): StatfsAnswer {
    return {
      blockSize: 4096,
      blocks: 2 ** 33,
      blocksFree: 2 ** 32,
      blocksAvailable: 2 ** 32,
      files: 1000,
      filesFree: 500,
      nameMax: NAME_MAX,
    };
  }

  access(nodeId: number): void {
    this.#node(nodeId);
  }

  setxattr(nodeId: number, name: string, value: Uint8Array, flags: number): void {
    const { xattrs } = this.#node(nodeId);
    if (!name.startsWith('user.')) throw new FsError('EOPNOTSUPP');
    if (flags & XATTR_CREATE && xattrs.has(name)) throw new FsError('EEXIST');
    if (flags & XATTR_REPLACE && !xattrs.has(name)) throw new FsError('ENODATA');
    xattrs.set(name, Buffer.from(value));
  }

  getxattr(nodeId: number, name: string): Uint8Array {
    const node = this.#node(nodeId);
    if (name === 'user.interrupts') return Buffer.from(String(this.interrupts));
    if (name === 'user.waiting') return Buffer.from(String(this.#waiting));
    const value = node.xattrs.get(name);
    if (value === undefined) throw new FsError('ENODATA');
    return value;
  }

  listxattr(nodeId: number): string[] {
    return [...this.#node(nodeId).xattrs.keys()];
  }

  removexattr(nodeId: number, name: string): void {
    if (!this.#node(nodeId).xattrs.delete(name)) throw new FsError('ENODATA');
  }

  syncAll(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    this.destroyed = true;
    return Promise.resolve();
  }

  #waitForInterrupt(signal: AbortSignal): Promise<never> {
    this.#waiting += 1;
    return new Promise((_, reject) => {
      const interrupted = () => {
        this.#waiting -= 1;
        this.interrupts += 1;
        reject(new FsError('EINTR'));
      };
      if (signal.aborted) interrupted();
      else signal.addEventListener('abort', interrupted, { once: true });
    });
  }

  #node(nodeId: number): MemoryNode {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw new FsError('ESTALE', `no node ${nodeId}`);
    return node;
  }

  #directory(nodeId: number): MemoryNode {
    const node = this.#node(nodeId);
    if (!node.isDirectory) throw new FsError('ENOTDIR');
    return node;
  }

  #file(fh: number): { node: MemoryNode; flags: number } {
    const file = this.#files.get(fh);
    if (file === undefined) throw new FsError('EBADF', `no handle ${fh}`);
    return file;
  }

  #child(directory: MemoryNode, name: string): MemoryNode {
    const node = directory.children.get(name);
    if (node !== undefined) return node;
    throw new FsError(Buffer.byteLength(name) > NAME_MAX ? 'ENAMETOOLONG' : 'ENOENT');
  }

  #entry(node: MemoryNode): Entry {
    node.lookups += 1;
    return {
      nodeId: node.id,
      attributes: node.attributes(),
      entryTimeoutMs: this.#timeoutMs,
      attrTimeoutMs: this.#timeoutMs,
    };
  }

  #openFile(node: MemoryNode, flags: number): OpenAnswer {
    const fh = (this.#lastHandle += 1);
    this.#files.set(fh, { node, flags });
    node.openHandles += 1;
    return { fh, ...this.#opened };
  }

  #checkFree(parent: MemoryNode, name: string): void {
    if (parent.children.has(name)) throw new FsError('EEXIST');
    if (Buffer.byteLength(name) > NAME_MAX) throw new FsError('ENAMETOOLONG');
    if (parent.nlink === 0) throw new FsError('ENOENT');
  }

  #make(parentId: number, name: string, mode: number, ctx: RequestContext): MemoryNode {
    const parent = this.#directory(parentId);
    this.#checkFree(parent, name);
    const node = new MemoryNode((this.#lastId += 1), mode, ctx.uid, ctx.gid);
    this.#nodes.set(node.id, node);
    if (node.isDirectory) {
      node.parent = parent;
      parent.nlink += 1;
    }
    this.#attach(parent, name, node);
    return node;
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
    this.#dropIfDead(node);
  }

  #checkReplace(node: MemoryNode, target: MemoryNode): void {
    if (node.isDirectory && !target.isDirectory) throw new FsError('ENOTDIR');
    if (!node.isDirectory && target.isDirectory) throw new FsError('EISDIR');
    if (target.children.size > 0) throw new FsError('ENOTEMPTY');
  }

  #dropIfDead(node: MemoryNode): void {
    if (node.nlink <= 0 && node.lookups === 0 && node.openHandles === 0)
      this.#nodes.delete(node.id);
  }

  #list(
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry, node: MemoryNode) => boolean,
  ): void {
    const open = this.#directories.get(fh);
    if (open === undefined) throw new FsError('EBADF');
    const { node } = open;
    if (offset === 0) {
      open.snapshot = [
        { name: '.', node, cookie: 1 },
        { name: '..', node: node.parent ?? node, cookie: 2 },
        ...[...node.children].map(([name, child]) => {
          return { name, node: child, cookie: node.cookies.get(name)! };
        }),
      ];
    }
    for (const { name, node: child, cookie } of open.snapshot) {
      if (cookie <= offset) continue;
      if (cookie > 2 && node.children.get(name) !== child) continue;
      const entry = { name, offset: cookie, type: child.mode & S_IFMT, ino: child.id };
      if (!add(entry, child)) return;
    }
  }
}
