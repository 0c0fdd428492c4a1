import type { Attributes, Entry } from '../../../../src/vfs/filesystem.js';
import { bytes, u32, u64 } from './wire.js';

export const ATTRIBUTES: Attributes = {
  ino: 0x1_2345_6789_abcd,
  size: 0x1f_ffff_ffff_ffff,
  mode: 0o100640,
  nlink: 3,
  uid: 1000,
  gid: 100,
  rdev: 0x801,
  blksize: 65536,
  blocks: 77,
  atime: { sec: 1_700_000_000, nsec: 1 },
  mtime: { sec: -1, nsec: 999_999_999 },
  ctime: { sec: 5_000_000_000, nsec: 0 },
};

/** struct fuse_attr of it */
export const ATTR_BYTES = bytes(
  u64(0x1_2345_6789_abcd), // ino
  u64(0x1f_ffff_ffff_ffff), // size
  u64(77), // blocks
  u64(1_700_000_000), // atime
  u64(-1), // mtime
  u64(5_000_000_000), // ctime
  u32(1), // atimensec
  u32(999_999_999), // mtimensec
  u32(0), // ctimensec
  u32(0o100640), // mode
  u32(3), // nlink
  u32(1000), // uid
  u32(100), // gid
  u32(0x801), // rdev
  u32(65536), // blksize
  u32(0), // flags
);

export const ENTRY: Entry = {
  nodeId: 0x1_0000_0002,
  attributes: ATTRIBUTES,
  entryTimeoutMs: 1500,
  attrTimeoutMs: 250,
};

/** struct fuse_entry_out of it */
export const ENTRY_BYTES = bytes(
  u64(0x1_0000_0002), // nodeid
  u64(0), // generation
  u64(1), // entry_valid
  u64(0), // attr_valid
  u32(500_000_000), // entry_valid_nsec
  u32(250_000_000), // attr_valid_nsec
  ATTR_BYTES,
);
