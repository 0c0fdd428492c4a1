/**
 * Resource → attributes, in the one place that decides what a file's mode and times are.
 */
import { sameTag } from './reader/versions.js';
import type { Resource, ServerProfile, Timespec } from '../webdav/types.js';
import type { Attributes } from './filesystem.js';
import type { Node } from './node.js';

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;

export interface OwnerOptions {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits to take away from files and from directories whose mode the peer doesn't keep. */
  readonly fmask: number;
  readonly dmask: number;
}

const BLOCK = 512;
export const PREFERRED_BLOCK = 131072;

/** File type bits of a resource. */
export function typeOf(resource: Resource): number {
  if (resource.kind === 'collection') return S_IFDIR;
  // A socket: the kernel refuses open(2) with ENXIO by itself. As a FIFO it would wait for a writer that never comes.
  if (resource.kind === 'special') return S_IFSOCK;
  return ((resource.posix?.mode ?? 0) & S_IFMT) === S_IFLNK ? S_IFLNK : S_IFREG;
}

/** Permission bits: the stored mode, else what the server tells about execution and the masks. */
export function permissionsOf(
  resource: Resource,
  owner: OwnerOptions,
  profile: ServerProfile | undefined,
): number {
  const type = typeOf(resource);
  if (type === S_IFLNK) return 0o777;
  const stored = resource.posix?.mode;
  if (type === S_IFDIR) return stored !== undefined ? stored & 0o7777 : 0o777 & ~owner.dmask;
  if (stored === undefined) return (resource.executable === true ? 0o777 : 0o666) & ~owner.fmask;
  // Where the server has the flag itself, others may have changed it since the mode was stored.
  if (profile?.setsExecutable === true && resource.executable !== undefined) {
    const wasExecutable = (stored & 0o100) !== 0;
    if (wasExecutable !== resource.executable) {
      return resource.executable ? (stored | ((stored & 0o444) >> 2)) & 0o7777 : stored & 0o7666;
    }
  }
  return stored & 0o7777;
}

const EPOCH: Timespec = { sec: 0, nsec: 0 };

export function mtimeOf(node: Node): Timespec {
  if (node.data?.mtime !== undefined) return node.data.mtime;
  const { resource, writtenMtime } = node;
  if (writtenMtime !== undefined && sameTag(writtenMtime.etag, resource.etag))
    return writtenMtime.mtime;
  return resource.mtime ?? resource.created ?? EPOCH;
}

export function attributesOf(
  node: Node,
  owner: OwnerOptions,
  profile: ServerProfile | undefined,
): Attributes {
  const { resource, data } = node;
  const size = data?.staging !== undefined ? data.staging.size : resource.size;
  const directory = resource.kind === 'collection';
  const mtime = mtimeOf(node);
  const permissions = data?.pendingMode ?? permissionsOf(resource, owner, profile);
  return {
    ino: node.ino,
    size: directory ? 4096 : size,
    mode: typeOf(resource) | permissions,
    // 1 for directories says "not counted" (as btrfs does): find(1) must not infer the number of subfolders from it.
    nlink: node.unlinked ? 0 : directory ? 1 : (resource.posix?.nlink ?? 1),
    uid: owner.uid,
    gid: owner.gid,
    rdev: 0,
    blksize: PREFERRED_BLOCK,
    blocks: directory ? 0 : Math.ceil(size / BLOCK),
    atime: data?.pendingAtime ?? node.atime ?? resource.posix?.atime ?? mtime,
    mtime,
    ctime: mtime,
  };
}

export function nowTimespec(): Timespec {
  const ms = Date.now();
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1_000_000 };
}
