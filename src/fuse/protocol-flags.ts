/**
 * Flag words of the FUSE kernel ABI (include/uapi/linux/fuse.h).
 */

/**
 * INIT flags that are asked for when the kernel offers them, with the protocol version they came with and what they are for.
 * Bits 32 and up travel in `flags2`. Not asked for, on purpose:
 *   EXPORT_SUPPORT              a node cannot be found again after its FORGET
 *   WRITEBACK_CACHE             the kernel would own size and mtime, and errors would come late
 *   CACHE_SYMLINKS              the kernel never drops a cached target when the link changes at the peer
 *   NO_OPEN_SUPPORT, NO_OPENDIR_SUPPORT   opens are where the version of a file is fixed
 *   DONT_MASK                   the kernel applies the umask
 *   SETXATTR_EXT, SECURITY_CTX, POSIX_ACL, SUBMOUNTS, MAP_ALIGNMENT, HAS_INODE_DAX, PASSTHROUGH   no use for them
 */
export const WANTED_INIT_FLAGS = {
  /** 7.1: reads of one file in parallel. */
  ASYNC_READ: 0,
  /** 7.5: O_TRUNC comes with OPEN, no SETATTR before it. */
  ATOMIC_O_TRUNC: 3,
  /** 7.9: writes over 4 KiB. */
  BIG_WRITES: 5,
  /** 7.20: a new mtime or size drops the cached pages. */
  AUTO_INVAL_DATA: 12,
  /** 7.21: READDIRPLUS … */
  DO_READDIRPLUS: 13,
  /** 7.21: … where the caller seems to stat what it lists. */
  READDIRPLUS_AUTO: 14,
  /** 7.22: O_DIRECT requests in parallel. */
  ASYNC_DIO: 15,
  /** 7.25: lookups and readdirs of one directory in parallel. */
  PARALLEL_DIROPS: 18,
  /** 7.27: an abort is told (ECONNABORTED) from an unmount (ENODEV). */
  ABORT_ERROR: 21,
  /** 7.28: requests over 128 KiB. */
  MAX_PAGES: 22,
  /** 7.33: we clear setuid bits on writes, so the kernel needs no GETXATTR before each of them. */
  HANDLE_KILLPRIV_V2: 28,
  /** 7.36: `flags2` is there. */
  INIT_EXT: 30,
  /** 7.39: files opened with direct I/O can be mapped shared. */
  DIRECT_IO_ALLOW_MMAP: 36,
  /** 7.40: name_to_handle_at fails at once, not later with ESTALE. */
  NO_EXPORT_SUPPORT: 38,
} as const;

/** Asked for where the file system keeps the locks; else they stay with the kernel and work within this mount. */
export const LOCK_INIT_FLAGS = {
  /** 7.7: fcntl(2). */
  POSIX_LOCKS: 1,
  /** 7.17: flock(2). */
  FLOCK_LOCKS: 10,
} as const;

export type InitFlag = keyof typeof WANTED_INIT_FLAGS | keyof typeof LOCK_INIT_FLAGS;

/** fuse_getattr_in.flags */
export const GETATTR_FH = 1;

/** fuse_setattr_in.valid */
export const FATTR = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const;

/** fuse_open_out.open_flags */
export const FOPEN = {
  DIRECT_IO: 1 << 0,
  KEEP_CACHE: 1 << 1,
  CACHE_DIR: 1 << 3,
  NOFLUSH: 1 << 5,
  PARALLEL_DIRECT_WRITES: 1 << 6,
} as const;

/** fuse_open_in.open_flags and fuse_create_in.open_flags */
export const OPEN_KILL_SUIDGID = 1;
/** fuse_write_in.write_flags */
export const WRITE_CACHE = 1 << 0;
export const WRITE_KILL_SUIDGID = 1 << 2;
/** fuse_fsync_in.fsync_flags */
export const FSYNC_FDATASYNC = 1;
/** fuse_lk_in.lk_flags */
export const LK_FLOCK = 1;
/** fuse_release_in.release_flags */
export const RELEASE_FLOCK_UNLOCK = 1 << 1;
