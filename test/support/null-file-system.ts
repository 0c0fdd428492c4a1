/**
 * A file system that does nothing, as fast as possible: two files of 4 GiB, `/zero` (reads zeros) and `/sink` (takes writes), and
 * `/file-N` for every number N. Tells what the FUSE side costs.
 */
import {
  FsError,
  type AttributeChange,
  type Attributes,
  type AttributesAnswer,
  type Awaitable,
  type CreateAnswer,
  type DirectoryEntry,
  type Entry,
  type FileSystem,
  type OpenAnswer,
  type StatfsAnswer,
} from '../../src/vfs/filesystem.js';

const TIME = { sec: 1_700_000_000, nsec: 0 };
const OPENED = { fh: 1, keepCache: false, directIo: false };
const NAMES = ['zero', 'sink'];
const FILE_BYTES = 4 * 1024 ** 3;

function attributes(ino: number): Attributes {
  const isRoot = ino === 1;
  return {
    ino,
    size: isRoot ? 4096 : FILE_BYTES,
    mode: isRoot ? 0o40755 : 0o100644,
    nlink: 1,
    uid: 0,
    gid: 0,
    rdev: 0,
    blksize: 4096,
    blocks: 8,
    atime: TIME,
    mtime: TIME,
    ctime: TIME,
  };
}

export class NullFileSystem implements FileSystem {
  readonly #timeoutMs: number;
  readonly #zeros = Buffer.alloc(1 << 20);

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  lookup(_parent: number, name: string): Entry {
    const known = NAMES.indexOf(name);
    const nodeId = known >= 0 ? known + 2 : Number(/^file-(\d+)$/.exec(name)?.[1] ?? -1) + 100;
    if (nodeId < 2 || nodeId === 99) throw new FsError('ENOENT');
    return {
      nodeId,
      attributes: attributes(nodeId),
      entryTimeoutMs: this.#timeoutMs,
      attrTimeoutMs: this.#timeoutMs,
    };
  }
  forget(): void {
    return undefined;
  }
  getattr(nodeId: number): AttributesAnswer {
    return { attributes: attributes(nodeId), attrTimeoutMs: this.#timeoutMs };
  }
  setattr(nodeId: number, _change: AttributeChange): AttributesAnswer {
    return this.getattr(nodeId);
  }
  open(): OpenAnswer {
    return OPENED;
  }
  opendir(): OpenAnswer {
    return OPENED;
  }
  create(parent: number, name: string): CreateAnswer {
    return { ...OPENED, entry: this.lookup(parent, name) };
  }
  read(_nodeId: number, _fh: number, offset: number, length: number): readonly Uint8Array[] {
    return [this.#zeros.subarray(0, Math.max(0, Math.min(length, FILE_BYTES - offset)))];
  }
  write(_nodeId: number, _fh: number, _offset: number, data: Uint8Array): number {
    return data.length;
  }
  flush(): void {
    return undefined;
  }
  release(): void {
    return undefined;
  }
  releasedir(): void {
    return undefined;
  }
  fsync(): void {
    return undefined;
  }
  fsyncdir(): void {
    return undefined;
  }
  access(): void {
    return undefined;
  }
  readdir(
    _nodeId: number,
    _fh: number,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
  ): void {
    for (let at = offset; at < NAMES.length; at += 1) {
      if (!add({ name: NAMES[at]!, offset: at + 1, type: 0o100000, ino: at + 2 })) return;
    }
  }
  readdirplus(
    nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry, lookup: Entry) => boolean,
  ): void {
    this.readdir(nodeId, fh, offset, (entry) => add(entry, this.lookup(nodeId, entry.name)));
  }
  statfs(): StatfsAnswer {
    return {
      blockSize: 4096,
      blocks: 2 ** 40,
      blocksFree: 2 ** 39,
      blocksAvailable: 2 ** 39,
      files: 0,
      filesFree: 0,
      nameMax: 255,
    };
  }
  getxattr(): Uint8Array {
    throw new FsError('EOPNOTSUPP');
  }
  listxattr(): string[] {
    return [];
  }
  readlink(): string {
    throw new FsError('EINVAL');
  }
  mknod(): Entry {
    throw new FsError('EPERM');
  }
  mkdir(): Entry {
    throw new FsError('EPERM');
  }
  symlink(): Entry {
    throw new FsError('EPERM');
  }
  link(): Entry {
    throw new FsError('EPERM');
  }
  unlink(): Awaitable<void> {
    throw new FsError('EPERM');
  }
  rmdir(): Awaitable<void> {
    throw new FsError('EPERM');
  }
  rename(): Awaitable<void> {
    throw new FsError('EPERM');
  }
  setxattr(): Awaitable<void> {
    throw new FsError('EOPNOTSUPP');
  }
  removexattr(): Awaitable<void> {
    throw new FsError('EOPNOTSUPP');
  }
  fallocate(): Awaitable<void> {
    throw new FsError('EOPNOTSUPP');
  }
  lseek(): Awaitable<number> {
    throw new FsError('ENOSYS');
  }
  copyFileRange(): Awaitable<number> {
    throw new FsError('EOPNOTSUPP');
  }
  setInvalidator(): void {
    return undefined;
  }
  syncAll(): Promise<void> {
    return Promise.resolve();
  }
  destroy(): Promise<void> {
    return Promise.resolve();
  }
}
