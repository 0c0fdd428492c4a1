import type { Attributes } from '../../src/vfs/filesystem.js';
import type { Timespec } from '../../src/webdav/types.js';
import { MemoryContent } from './memory-content.js';

export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;

let lastNanoseconds = 0n;

/** The wall clock with nanoseconds; never twice the same. */
export function now(): Timespec {
  const wall = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
  lastNanoseconds = wall > lastNanoseconds ? wall : lastNanoseconds + 1n;
  return {
    sec: Number(lastNanoseconds / 1_000_000_000n),
    nsec: Number(lastNanoseconds % 1_000_000_000n),
  };
}

/** A file, directory or symbolic link. */
export class MemoryNode {
  readonly id: number;
  mode: number;
  uid: number;
  gid: number;
  nlink = 1;
  atime = now();
  mtime = this.atime;
  ctime = this.atime;
  /** References that the kernel holds. */
  lookups = 0;
  openHandles = 0;
  readonly content = new MemoryContent();
  readonly xattrs = new Map<string, Buffer>();
  /** Directories: name → child, in order of arrival; `cookies` grow in that order. */
  readonly children = new Map<string, MemoryNode>();
  readonly cookies = new Map<string, number>();
  /** Directories. */
  parent: MemoryNode | undefined;
  /** Symbolic links. */
  target = '';

  constructor(id: number, mode: number, uid: number, gid: number) {
    this.id = id;
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    if (this.isDirectory) this.nlink = 2;
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }

  get isFile(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }

  touch(): void {
    this.mtime = this.ctime = now();
  }

  attributes(): Attributes {
    const size = this.isFile
      ? this.content.size
      : this.isDirectory
        ? 4096
        : Buffer.byteLength(this.target);
    return {
      ino: this.id,
      size,
      mode: this.mode,
      nlink: this.nlink,
      uid: this.uid,
      gid: this.gid,
      rdev: 0,
      blksize: 4096,
      blocks: this.isFile ? this.content.pages * 128 : 8,
      atime: this.atime,
      mtime: this.mtime,
      ctime: this.ctime,
    };
  }
}
