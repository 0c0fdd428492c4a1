/** The arrays of 32-bit words in which fuse-native 2.2.6 takes struct stat and struct statvfs (populate_stat, populate_statvfs). */
import type { Attributes, StatfsAnswer } from '../vfs/filesystem.js';
import type { Timespec } from '../webdav/types.js';

const WORD = 0x1_0000_0000;
const STAT_WORDS = 18;
const STATVFS_WORDS = 11;

/** mode uid gid size² dev nlink ino rdev blksize blocks² atime² mtime² ctime²; ² low and high word, times in milliseconds. */
export function statWords(attributes: Attributes): Uint32Array {
  const words = new Uint32Array(STAT_WORDS);
  words[0] = attributes.mode;
  words[1] = attributes.uid;
  words[2] = attributes.gid;
  putTwo(words, 3, attributes.size);
  words[6] = attributes.nlink;
  words[7] = attributes.ino;
  words[8] = attributes.rdev;
  words[9] = attributes.blksize;
  putTwo(words, 10, attributes.blocks);
  putTwo(words, 12, milliseconds(attributes.atime));
  putTwo(words, 14, milliseconds(attributes.mtime));
  putTwo(words, 16, milliseconds(attributes.ctime));
  return words;
}

/** What a listing tells of an entry: its kind. */
export function kindWords(type: number): Uint32Array {
  const words = new Uint32Array(STAT_WORDS);
  words[0] = type;
  return words;
}

/** bsize frsize blocks bfree bavail files ffree favail fsid flag namemax */
export function statvfsWords(answer: StatfsAnswer): Uint32Array {
  // Counts have 32 bits there: count in larger blocks until they fit, so that the bytes stay right.
  let blockSize = answer.blockSize;
  while ((answer.blocks * answer.blockSize) / blockSize >= WORD) blockSize *= 2;
  const scale = answer.blockSize / blockSize;
  const words = new Uint32Array(STATVFS_WORDS);
  words[0] = blockSize;
  words[1] = blockSize;
  words[2] = Math.floor(answer.blocks * scale);
  words[3] = Math.floor(answer.blocksFree * scale);
  words[4] = Math.floor(answer.blocksAvailable * scale);
  words[5] = Math.min(answer.files, WORD - 1);
  words[6] = Math.min(answer.filesFree, WORD - 1);
  words[7] = Math.min(answer.filesFree, WORD - 1);
  words[10] = answer.nameMax;
  return words;
}

/** The native side divides an unsigned number of milliseconds, so a time before 1970 becomes 1970. */
function milliseconds(time: Timespec): number {
  return Math.max(0, time.sec * 1000 + Math.floor(time.nsec / 1e6));
}

function putTwo(words: Uint32Array, at: number, value: number): void {
  words[at] = value;
  words[at + 1] = Math.floor(value / WORD);
}

/** The other way: milliseconds as the native side passes them, 64 bits with sign in two words. */
export function timeFromMilliseconds(low: number, high: number): Timespec {
  const milliseconds = (high | 0) * WORD + low;
  const sec = Math.floor(milliseconds / 1000);
  return { sec, nsec: (milliseconds - sec * 1000) * 1_000_000 };
}
