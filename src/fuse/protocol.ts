/**
 * The FUSE kernel ABI (include/uapi/linux/fuse.h): numbers and struct layouts, no logic. Integers are in host byte order.
 */

export const FUSE_KERNEL_VERSION = 7;
/** The newest minor version whose messages are known here; the smaller one of ours and the kernel's is spoken. */
export const FUSE_KERNEL_MINOR_VERSION = 45;
/** Linux 3.15. From here on all structs below have the size given, but for fuse_init_in and fuse_setxattr_in. */
export const OLDEST_MINOR_VERSION = 23;

/** fuse_in_header { u32 len, opcode; u64 unique, nodeid; u32 uid, gid, pid; u16 total_extlen, padding }. */
export const IN_HEADER_BYTES = 40;
/** fuse_out_header { u32 len; i32 error; u64 unique }. */
export const OUT_HEADER_BYTES = 16;
/** The kernel reads a request into no less (FUSE_MIN_READ_BUFFER), plus the write data. */
export const MIN_READ_BUFFER_BYTES = 8192;

/** Operation → number in fuse_in_header.opcode. The comment is what is done with the ones that have no handler. */
export const OPCODES = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37, // ENOSYS: FIBMAP is for block devices
  DESTROY: 38,
  IOCTL: 39, // ENOSYS: the caller gets ENOTTY
  POLL: 40, // ENOSYS: the kernel says "always ready" and does not ask again
  NOTIFY_REPLY: 41, // never sent: no NOTIFY_RETRIEVE is
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48, // never sent: DAX
  REMOVEMAPPING: 49, // never sent: DAX
  SYNCFS: 50,
  TMPFILE: 51, // ENOSYS: the caller gets EOPNOTSUPP
  STATX: 52, // ENOSYS: the kernel answers from GETATTR and does not ask again
  COPY_FILE_RANGE_64: 53,
} as const;

export type OpcodeName = keyof typeof OPCODES;

const NAMES: (string | undefined)[] = [];
for (const [name, code] of Object.entries(OPCODES)) NAMES[code] = name;

export function opcodeName(code: number): string {
  return NAMES[code] ?? `opcode ${code}`;
}

type FieldType = 'u16' | 'u32' | 'u64' | 'attr';
const FIELD_BYTES: Record<FieldType, number> = { u16: 2, u32: 4, u64: 8, attr: 88 };

export interface Layout<F> {
  /** Size of the struct. */
  readonly bytes: number;
  /** Field → offset in bytes. */
  readonly at: { readonly [K in keyof F]: number };
}

/** Fields in wire order; all are naturally aligned, so there is no hidden padding. */
function layout<const F extends Record<string, FieldType>>(fields: F): Layout<F> {
  let bytes = 0;
  const at: Record<string, number> = {};
  for (const [name, type] of Object.entries(fields)) {
    at[name] = bytes;
    bytes += FIELD_BYTES[type];
  }
  return { bytes, at: at as Layout<F>['at'] };
}

// Request structs; they follow fuse_in_header.

export const FORGET_IN = layout({ nlookup: 'u64' });
export const FORGET_ONE = layout({ nodeid: 'u64', nlookup: 'u64' });
/** Followed by `count` fuse_forget_one. */
export const BATCH_FORGET_IN = layout({ count: 'u32', dummy: 'u32' });
export const GETATTR_IN = layout({ flags: 'u32', dummy: 'u32', fh: 'u64' });
/** Followed by the name. */
export const MKNOD_IN = layout({ mode: 'u32', rdev: 'u32', umask: 'u32', padding: 'u32' });
/** Followed by the name. */
export const MKDIR_IN = layout({ mode: 'u32', umask: 'u32' });
/** Followed by the old name and the new name. */
export const RENAME_IN = layout({ newdir: 'u64' });
/** Followed by the old name and the new name. */
export const RENAME2_IN = layout({ newdir: 'u64', flags: 'u32', padding: 'u32' });
/** Followed by the new name. */
export const LINK_IN = layout({ oldnodeid: 'u64' });
export const SETATTR_IN = layout({
  valid: 'u32',
  padding: 'u32',
  fh: 'u64',
  size: 'u64',
  lockOwner: 'u64',
  atime: 'u64',
  mtime: 'u64',
  ctime: 'u64',
  atimensec: 'u32',
  mtimensec: 'u32',
  ctimensec: 'u32',
  mode: 'u32',
  unused4: 'u32',
  uid: 'u32',
  gid: 'u32',
  unused5: 'u32',
});
export const OPEN_IN = layout({ flags: 'u32', openFlags: 'u32' });
/** Followed by the name. */
export const CREATE_IN = layout({ flags: 'u32', mode: 'u32', umask: 'u32', openFlags: 'u32' });
export const RELEASE_IN = layout({
  fh: 'u64',
  flags: 'u32',
  releaseFlags: 'u32',
  lockOwner: 'u64',
});
export const FLUSH_IN = layout({ fh: 'u64', unused: 'u32', padding: 'u32', lockOwner: 'u64' });
/** Of READ, READDIR and READDIRPLUS. */
export const READ_IN = layout({
  fh: 'u64',
  offset: 'u64',
  size: 'u32',
  readFlags: 'u32',
  lockOwner: 'u64',
  flags: 'u32',
  padding: 'u32',
});
/** Followed by the data. */
export const WRITE_IN = layout({
  fh: 'u64',
  offset: 'u64',
  size: 'u32',
  writeFlags: 'u32',
  lockOwner: 'u64',
  flags: 'u32',
  padding: 'u32',
});
export const FSYNC_IN = layout({ fh: 'u64', fsyncFlags: 'u32', padding: 'u32' });
/** Followed by the name and the value. Without FUSE_SETXATTR_EXT it ends here. */
export const SETXATTR_IN = layout({ size: 'u32', flags: 'u32' });
/** Followed, for GETXATTR, by the name. */
export const GETXATTR_IN = layout({ size: 'u32', padding: 'u32' });
export const ACCESS_IN = layout({ mask: 'u32', padding: 'u32' });
/** Before 7.36 it ends after `flags`. */
export const INIT_IN = layout({
  major: 'u32',
  minor: 'u32',
  maxReadahead: 'u32',
  flags: 'u32',
  flags2: 'u32',
});
export const INIT_IN_OLD_BYTES = 16;
export const INTERRUPT_IN = layout({ unique: 'u64' });
export const FALLOCATE_IN = layout({
  fh: 'u64',
  offset: 'u64',
  length: 'u64',
  mode: 'u32',
  padding: 'u32',
});
export const LSEEK_IN = layout({ fh: 'u64', offset: 'u64', whence: 'u32', padding: 'u32' });
/** fuse_file_lock is in the middle of it. */
export const LK_IN = layout({
  fh: 'u64',
  owner: 'u64',
  start: 'u64',
  end: 'u64',
  type: 'u32',
  pid: 'u32',
  lkFlags: 'u32',
  padding: 'u32',
});
/** The header's node is the one that is read. */
export const COPY_FILE_RANGE_IN = layout({
  fhIn: 'u64',
  offsetIn: 'u64',
  nodeidOut: 'u64',
  fhOut: 'u64',
  offsetOut: 'u64',
  length: 'u64',
  flags: 'u64',
});

// Reply structs; they follow fuse_out_header.

export const ATTR = layout({
  ino: 'u64',
  size: 'u64',
  blocks: 'u64',
  atime: 'u64',
  mtime: 'u64',
  ctime: 'u64',
  atimensec: 'u32',
  mtimensec: 'u32',
  ctimensec: 'u32',
  mode: 'u32',
  nlink: 'u32',
  uid: 'u32',
  gid: 'u32',
  rdev: 'u32',
  blksize: 'u32',
  flags: 'u32',
});
export const ENTRY_OUT = layout({
  nodeid: 'u64',
  generation: 'u64',
  entryValid: 'u64',
  attrValid: 'u64',
  entryValidNsec: 'u32',
  attrValidNsec: 'u32',
  attr: 'attr',
});
export const ATTR_OUT = layout({
  attrValid: 'u64',
  attrValidNsec: 'u32',
  dummy: 'u32',
  attr: 'attr',
});
/** One fuse_file_lock. */
export const LK_OUT = layout({ start: 'u64', end: 'u64', type: 'u32', pid: 'u32' });
/** In the reply to CREATE it follows fuse_entry_out. */
export const OPEN_OUT = layout({ fh: 'u64', openFlags: 'u32', padding: 'u32' });
export const WRITE_OUT = layout({ size: 'u32', padding: 'u32' });
/** Six spare words follow. */
export const STATFS_OUT = layout({
  blocks: 'u64',
  bfree: 'u64',
  bavail: 'u64',
  files: 'u64',
  ffree: 'u64',
  bsize: 'u32',
  namelen: 'u32',
  frsize: 'u32',
  padding: 'u32',
});
export const STATFS_OUT_BYTES = STATFS_OUT.bytes + 24;
export const GETXATTR_OUT = layout({ size: 'u32', padding: 'u32' });
export const LSEEK_OUT = layout({ offset: 'u64' });
/** Unused words up to INIT_OUT_BYTES follow. */
export const INIT_OUT = layout({
  major: 'u32',
  minor: 'u32',
  maxReadahead: 'u32',
  flags: 'u32',
  maxBackground: 'u16',
  congestionThreshold: 'u16',
  maxWrite: 'u32',
  timeGran: 'u32',
  maxPages: 'u16',
  mapAlignment: 'u16',
  flags2: 'u32',
});
export const INIT_OUT_BYTES = 64;
/** The name follows, then zeros up to a multiple of 8. fuse_direntplus has a fuse_entry_out before it. */
export const DIRENT = layout({ ino: 'u64', off: 'u64', namelen: 'u32', type: 'u32' });
// Notifications: fuse_out_header with unique 0 and the code in `error`.

export const NOTIFY_CODES = { INVAL_INODE: 2, INVAL_ENTRY: 3, STORE: 4, PRUNE: 9 } as const;
export const NOTIFY_INVAL_INODE_OUT = layout({ ino: 'u64', off: 'u64', len: 'u64' });
/** Followed by `count` node ids; since protocol 7.45. */
export const NOTIFY_PRUNE_OUT = layout({ count: 'u32', padding: 'u32', spare: 'u64' });
export const PRUNE_MINOR_VERSION = 45;
/** Followed by the bytes. */
export const NOTIFY_STORE_OUT = layout({
  nodeid: 'u64',
  offset: 'u64',
  size: 'u32',
  padding: 'u32',
});
/** Followed by the name and a NUL. */
export const NOTIFY_INVAL_ENTRY_OUT = layout({ parent: 'u64', namelen: 'u32', flags: 'u32' });
