/**
 * A complete POSIX file system in memory, to test the FUSE side with. Timeouts are 0 unless said, so that each call of a program comes
 * down here. The read of a file with the extended attribute `user.blocked` waits until the caller is interrupted; `user.waiting` and
 * `user.interrupts` of any file tell how many reads wait, and how many were interrupted.
 */
import {
  FsError,
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
import { BlockedReads } from './blocked-reads.js';
import { MemoryDirectory } from './memory-directory.js';
import { now, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, type MemoryNode } from './memory-node.js';
import { MemoryTree, NAME_MAX } from './memory-tree.js';

const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

export interface MemoryOptions {
  readonly timeoutMs?: number;
  readonly keepCache?: boolean;
  readonly directIo?: boolean;
}

export class MemoryFileSystem implements FileSystem {
  readonly #tree = new MemoryTree();
  readonly #files = new Map<number, { node: MemoryNode; flags: number }>();
  readonly #directories = new Map<number, MemoryDirectory>();
  readonly #timeoutMs: number;
  readonly #opened: { readonly keepCache: boolean; readonly directIo: boolean };
  #lastHandle = 0;
  invalidator: Invalidator | undefined;
  readonly #blocked = new BlockedReads();
  destroyed = false;

  constructor(options: MemoryOptions = {}) {
    this.#timeoutMs = options.timeoutMs ?? 0;
    this.#opened = { keepCache: options.keepCache ?? false, directIo: options.directIo ?? false };
  }

  /** Handles that were opened and not released. */
  get openHandles(): number {
    return this.#files.size + this.#directories.size;
  }

  /** References given out and not forgotten, over all nodes. */
  get references(): number {
    return this.#tree.references;
  }

  get root(): MemoryNode {
    return this.#tree.root;
  }

  setInvalidator(invalidator: Invalidator): void {
    this.invalidator = invalidator;
  }

  lookup(parent: number, name: string): Entry {
    return this.#entry(this.#tree.child(this.#tree.directory(parent), name));
  }

  forget(nodeId: number, count: number): void {
    if (nodeId === ROOT_INO) return;
    const node = this.#tree.node(nodeId);
    if (node.lookups < count) {
      throw new Error(`forget of ${count} references on node ${nodeId} which has ${node.lookups}`);
    }
    node.lookups -= count;
    this.#tree.dropIfDead(node);
  }

  getattr(nodeId: number): AttributesAnswer {
    return { attributes: this.#tree.node(nodeId).attributes(), attrTimeoutMs: this.#timeoutMs };
  }

  setattr(nodeId: number, change: AttributeChange): AttributesAnswer {
    const node = this.#tree.node(nodeId);
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
    return this.#tree.node(nodeId).target;
  }

  mknod(parent: number, name: string, mode: number, ctx: RequestContext): Entry {
    const type = mode & S_IFMT;
    if (type !== 0 && type !== S_IFREG) throw new FsError('EPERM', 'regular files only');
    return this.#entry(this.#tree.make(parent, name, S_IFREG | (mode & 0o7777), ctx.uid, ctx.gid));
  }

  mkdir(parent: number, name: string, mode: number, ctx: RequestContext): Entry {
    return this.#entry(this.#tree.make(parent, name, S_IFDIR | (mode & 0o7777), ctx.uid, ctx.gid));
  }

  symlink(parent: number, name: string, target: string, ctx: RequestContext): Entry {
    const node = this.#tree.make(parent, name, S_IFLNK | 0o777, ctx.uid, ctx.gid);
    node.target = target;
    return this.#entry(node);
  }

  link(nodeId: number, newParent: number, newName: string): Entry {
    const node = this.#tree.node(nodeId);
    this.#tree.link(node, newParent, newName);
    return this.#entry(node);
  }

  unlink(parent: number, name: string): void {
    this.#tree.unlink(parent, name);
  }

  rmdir(parent: number, name: string): void {
    this.#tree.rmdir(parent, name);
  }

  rename(parent: number, name: string, newParent: number, newName: string, flags: number): void {
    const from = this.#tree.directory(parent);
    this.#tree.rename(from, name, this.#tree.directory(newParent), newName, flags);
  }

  open(nodeId: number, flags: number): OpenAnswer {
    const node = this.#tree.node(nodeId);
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
    const node = this.#tree.make(parent, name, S_IFREG | (mode & 0o7777), ctx.uid, ctx.gid);
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
    if (node.xattrs.has('user.blocked')) return this.#blocked.wait(ctx.signal);
    node.atime = now();
    return node.content.read(offset, length);
  }

  write(
    _nodeId: number,
    fh: number,
    offset: number,
    data: Uint8Array,
    _ctx: RequestContext,
    pages = false,
  ): Awaitable<number> {
    const { node, flags } = this.#file(fh);
    const at = flags & O_APPEND && !pages ? node.content.size : offset;
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
    this.#tree.dropIfDead(node);
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

  /** The kernel copies by reads and writes. */
  copyFileRange(): number {
    throw new FsError('EOPNOTSUPP');
  }

  opendir(nodeId: number): OpenAnswer {
    const node = this.#tree.directory(nodeId);
    const fh = (this.#lastHandle += 1);
    this.#directories.set(fh, new MemoryDirectory(node));
    node.openHandles += 1;
    return { fh, keepCache: false, directIo: false };
  }

  readdir(
    _nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
  ): void {
    this.#directory(fh).list(offset, (entry) => add(entry));
  }

  readdirplus(
    _nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry, lookup: Entry) => boolean,
  ): void {
    this.#directory(fh).list(offset, (entry, node) => {
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
    const open = this.#directory(fh);
    this.#directories.delete(fh);
    open.node.openHandles -= 1;
    this.#tree.dropIfDead(open.node);
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
    this.#tree.node(nodeId);
  }

  setxattr(nodeId: number, name: string, value: Uint8Array, flags: number): void {
    const { xattrs } = this.#tree.node(nodeId);
    if (!name.startsWith('user.')) throw new FsError('EOPNOTSUPP');
    if (flags & XATTR_CREATE && xattrs.has(name)) throw new FsError('EEXIST');
    if (flags & XATTR_REPLACE && !xattrs.has(name)) throw new FsError('ENODATA');
    xattrs.set(name, Buffer.from(value));
  }

  getxattr(nodeId: number, name: string): Uint8Array {
    const node = this.#tree.node(nodeId);
    if (name === 'user.interrupts') return Buffer.from(String(this.#blocked.interrupted));
    if (name === 'user.waiting') return Buffer.from(String(this.#blocked.waiting));
    const value = node.xattrs.get(name);
    if (value === undefined) throw new FsError('ENODATA');
    return value;
  }

  listxattr(nodeId: number): string[] {
    return [...this.#tree.node(nodeId).xattrs.keys()];
  }

  removexattr(nodeId: number, name: string): void {
    if (!this.#tree.node(nodeId).xattrs.delete(name)) throw new FsError('ENODATA');
  }

  syncAll(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    this.destroyed = true;
    return Promise.resolve();
  }

  #file(fh: number): { node: MemoryNode; flags: number } {
    const file = this.#files.get(fh);
    if (file === undefined) throw new FsError('EBADF', `no handle ${fh}`);
    return file;
  }

  #directory(fh: number): MemoryDirectory {
    const directory = this.#directories.get(fh);
    if (directory === undefined) throw new FsError('EBADF', `no handle ${fh}`);
    return directory;
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
}
