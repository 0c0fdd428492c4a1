/**
 * The POSIX view of a share: FUSE low-level operations on inode numbers and file handles. Knows neither FUSE nor HTTP.
 *
 * Contract of every operation:
 * - It returns its answer, or throws, synchronously when the answer is at hand (a cached answer costs no promise), or returns a
 *   promise that settles by the deadline of the file system.
 * - It fails with `FsError` only; the decorator of errno.ts turns every other error into one.
 * - Buffers passed in (write data) are the callee's until the promise settles, not longer. Buffers returned are the caller's.
 * - Nobody else serialises: the kernel sends operations in parallel, also on one inode and on one handle.
 */
import { DavportError } from '../errors.js';
import type { Timespec } from '../webdav/types.js';
import type { ErrnoName } from './errno-names.js';

export type Awaitable<T> = T | Promise<T>;

/** Root inode number (FUSE_ROOT_ID). */
export const ROOT_INO = 1;

/** Who may stop waiting. */
export interface Waiting {
  /** Aborted when the caller was interrupted. Made on first use, which costs more than all the rest of a cached answer: not to be touched before something has to be waited for. */
  readonly signal: AbortSignal;
}

/** Who asks. Aborted by FUSE_INTERRUPT: the operation then fails with EINTR. */
export interface RequestContext extends Waiting {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

export interface Attributes {
  /** st_ino: stable for a path over remounts where possible, unique among live inodes. */
  readonly ino: number;
  readonly size: number;
  /** With file type bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly blksize: number;
  /** 512-byte units. */
  readonly blocks: number;
  readonly atime: Timespec;
  readonly mtime: Timespec;
  readonly ctime: Timespec;
}

/** Answer of lookup and of everything that makes a name. Counts one reference on `nodeId` (see forget). */
export interface Entry {
  /** FUSE node id: unique for the life of the mount; 0 says "no such name", to be cached for `entryTimeoutMs`. */
  readonly nodeId: number;
  readonly attributes: Attributes;
  readonly entryTimeoutMs: number;
  readonly attrTimeoutMs: number;
}

export interface AttributesAnswer {
  readonly attributes: Attributes;
  readonly attrTimeoutMs: number;
}

/** setattr(2)-like change; absent fields stay. */
export interface AttributeChange {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atime?: Timespec | 'now';
  readonly mtime?: Timespec | 'now';
}

export interface OpenAnswer {
  readonly fh: number;
  /** The kernel may keep the pages it has: the file is the version they were read from. */
  readonly keepCache: boolean;
  /** Reads and writes bypass the page cache. */
  readonly directIo: boolean;
  /** Nothing is to be done at a close: it need not be told. */
  readonly noFlush?: boolean;
  /** Of a folder: the kernel may keep the names that it reads, for the next one that is told `keepCache`. */
  readonly cacheDir?: boolean;
}

export interface CreateAnswer extends OpenAnswer {
  readonly entry: Entry;
}

/** A lock of fcntl(2) or flock(2), of the whole file or of the bytes [start, end]; Infinity: to the end, wherever that is. */
export interface LockAnswer {
  readonly type: 'read' | 'write';
  readonly start: number;
  readonly end: number;
  readonly pid: number;
}

export interface LockRequest extends Omit<LockAnswer, 'type'> {
  readonly fh: number;
  readonly kind: 'posix' | 'flock';
  /** Whom the kernel takes for one holder. */
  readonly owner: bigint;
  /** Undefined: to unlock. */
  readonly type: 'read' | 'write' | undefined;
}

/** A place in an open file. */
export interface FilePosition {
  readonly nodeId: number;
  readonly fh: number;
  readonly offset: number;
}

export interface FileRange extends FilePosition {
  readonly length: number;
}

export interface DirectoryEntry {
  readonly name: string;
  /** Cookie that continues after this entry. */
  readonly offset: number;
  /** File type bits of mode. */
  readonly type: number;
  readonly ino: number;
}

export interface StatfsAnswer {
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesFree: number;
  readonly nameMax: number;
}

/** renameat2(2) flags. */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

export interface FileSystem {
  lookup(parent: number, name: string, ctx: RequestContext): Awaitable<Entry>;
  /** Drops `count` references that entries gave out. Never fails, no answer. */
  forget(nodeId: number, count: number): void;
  getattr(nodeId: number, fh: number | undefined, ctx: RequestContext): Awaitable<AttributesAnswer>;
  setattr(
    nodeId: number,
    change: AttributeChange,
    fh: number | undefined,
    ctx: RequestContext,
  ): Awaitable<AttributesAnswer>;
  readlink(nodeId: number, ctx: RequestContext): Awaitable<string>;
  /** Regular files only; others EPERM. */
  mknod(parent: number, name: string, mode: number, ctx: RequestContext): Awaitable<Entry>;
  mkdir(parent: number, name: string, mode: number, ctx: RequestContext): Awaitable<Entry>;
  unlink(parent: number, name: string, ctx: RequestContext): Awaitable<void>;
  rmdir(parent: number, name: string, ctx: RequestContext): Awaitable<void>;
  symlink(parent: number, name: string, target: string, ctx: RequestContext): Awaitable<Entry>;
  rename(
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
    ctx: RequestContext,
  ): Awaitable<void>;
  link(nodeId: number, newParent: number, newName: string, ctx: RequestContext): Awaitable<Entry>;
  /** `flags`: O_* of open(2). */
  open(nodeId: number, flags: number, ctx: RequestContext): Awaitable<OpenAnswer>;
  create(
    parent: number,
    name: string,
    mode: number,
    flags: number,
    ctx: RequestContext,
  ): Awaitable<CreateAnswer>;
  /** Bytes at [offset, offset+length): exactly that many unless the file ends, as one or several pieces. Never short inside st_size. */
  read(
    nodeId: number,
    fh: number,
    offset: number,
    length: number,
    ctx: RequestContext,
  ): Awaitable<readonly Uint8Array[]>;
  /** What `read` answered was used: its memory may be overwritten from now on. */
  releaseRead?(pieces: readonly Uint8Array[]): void;
  /**
   * All of `data`, or an error. `pages`: what was stored through a mapping. It belongs where it is told, through whatever handle
   * the kernel sends it; by O_APPEND that is the end for everything else.
   */
  write(
    nodeId: number,
    fh: number,
    offset: number,
    data: Uint8Array,
    ctx: RequestContext,
    pages?: boolean,
  ): Awaitable<number>;
  /** close(2) of one descriptor. */
  flush(nodeId: number, fh: number, ctx: RequestContext, lockOwner?: bigint): Awaitable<void>;
  /** Last close: the handle is gone whatever happens. */
  release(nodeId: number, fh: number, flockOwner?: bigint): Awaitable<void>;
  /** The lock that stands against this one. Absent: the kernel keeps the locks. */
  getlk?(nodeId: number, lock: LockRequest, ctx: RequestContext): Awaitable<LockAnswer | undefined>;
  /** Takes or gives back a lock; EAGAIN where somebody has it, unless `wait`. */
  setlk?(nodeId: number, lock: LockRequest, wait: boolean, ctx: RequestContext): Awaitable<void>;
  fsync(nodeId: number, fh: number, dataOnly: boolean, ctx: RequestContext): Awaitable<void>;
  fallocate(
    nodeId: number,
    fh: number,
    mode: number,
    offset: number,
    length: number,
    ctx: RequestContext,
  ): Awaitable<void>;
  lseek(
    nodeId: number,
    fh: number,
    offset: number,
    whence: number,
    ctx: RequestContext,
  ): Awaitable<number>;
  /**
   * copy_file_range(2) between two files of this mount: how many bytes were copied. EOPNOTSUPP: nothing was done, and the kernel copies by
   * reads and writes.
   */
  copyFileRange(source: FileRange, target: FilePosition, ctx: RequestContext): Awaitable<number>;
  opendir(nodeId: number, ctx: RequestContext): Awaitable<OpenAnswer>;
  /**
   * Calls `add` for each entry after cookie `offset` ("." and ".." first) until it returns false (that entry was not taken) or the
   * directory ends. An entry that a directory had before opendir and still has is told exactly once whatever changes meanwhile.
   */
  readdir(
    nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
    ctx: RequestContext,
  ): Awaitable<void>;
  /** As readdir, with the lookup answer of each name; references are counted for the entries taken ("." and ".." have nodeId 0). */
  readdirplus(
    nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry, lookup: Entry) => boolean,
    ctx: RequestContext,
  ): Awaitable<void>;
  releasedir(nodeId: number, fh: number): void;
  fsyncdir(nodeId: number, fh: number, ctx: RequestContext): Awaitable<void>;
  statfs(nodeId: number, ctx: RequestContext): Awaitable<StatfsAnswer>;
  access(nodeId: number, mask: number, ctx: RequestContext): Awaitable<void>;
  /** `flags`: XATTR_CREATE 1, XATTR_REPLACE 2. */
  setxattr(
    nodeId: number,
    name: string,
    value: Uint8Array,
    flags: number,
    ctx: RequestContext,
  ): Awaitable<void>;
  getxattr(nodeId: number, name: string, ctx: RequestContext): Awaitable<Uint8Array>;
  listxattr(nodeId: number, ctx: RequestContext): Awaitable<string[]>;
  removexattr(nodeId: number, name: string, ctx: RequestContext): Awaitable<void>;

  /**
   * How the file system tells the kernel that what it may have cached is no longer so. Set once by the bridge, before the first
   * operation. Answers must not wait for these (a page lock may be held by the very request being answered).
   */
  setInvalidator(invalidator: Invalidator): void;
  /** Uploads everything dirty; rejects with the first error after all were tried. */
  syncAll(signal?: AbortSignal): Promise<void>;
  /** After the unmount: releases everything. */
  destroy(): Promise<void>;
}

export interface Invalidator {
  /** Attributes and, from `offset` on (`length` 0: to the end), pages. `offset` < 0: attributes only. Resolves when the kernel knows. */
  inode(nodeId: number, offset: number, length: number): Promise<void>;
  entry(parent: number, name: string): Promise<void>;
  /**
   * Puts the content of a file into its pages. REQUIRES: it is not open, and none of its pages is of another version. False, or not there:
   * not done.
   */
  store?(nodeId: number, content: readonly Uint8Array[]): boolean;
  /** Of these the kernel forgets what it doesn't use. Not there: it can't be asked to. */
  prune?: ((nodeIds: readonly number[]) => Promise<void>) | undefined;
}

/** What an operation fails with: the errno, and why, for the log. */
export class FsError extends DavportError {
  readonly errno: ErrnoName;

  constructor(errno: ErrnoName, message?: string, options?: ErrorOptions) {
    super(errno, message ?? errno, options);
    this.errno = errno;
  }
}
