/** POSIX cases that fail over fuse-native 2.2.6, each with the reason. doc/FUSE-NATIVE.md tells users. */
import type { Defects } from './posix-suite.js';

export const FUSE_NATIVE_DEFECTS: Defects = {
  'names: bytes that are not UTF-8': {
    reason: 'paths are handed over as JavaScript strings; stray bytes become U+FFFD',
  },
  'rename: RENAME_NOREPLACE, RENAME_EXCHANGE': {
    reason: 'libfuse 2 has no renameat2; the kernel answers EINVAL',
  },
  'hard links': {
    reason: 'libfuse 2 numbers inodes by path: two names of one file differ in st_ino',
  },
  'attributes: times to the nanosecond, each for itself': {
    reason: 'utimens gets atime twice, and times are milliseconds',
  },
  'attributes: times before 1970': {
    reason: 'the native side takes milliseconds since 1970 without sign',
  },
  'attributes: UTIME_NOW and UTIME_OMIT': {
    reason:
      'libfuse 2 without utime_omit_ok drops a change of one of the times, and reports success',
  },
  'data: mapped through a handle with O_APPEND and written': {
    reason: 'that a write comes from a mapping is not passed on: it goes to the end',
  },
  'listing: "." and ".." are there with kinds and inode numbers': {
    reason: 'd_ino of "." and ".." is unknown to libfuse 2 without use_ino',
  },
  'parallel: a file replaced by rename is never seen half': {
    reason:
      'libfuse 2 first renames an open target away (.fuse_hidden), so for a moment there is none',
    sometimes: true,
  },
};
