import type { BigIntStats } from 'node:fs';

/** What the share looks at of a file's state. A BigIntStats of node:fs is one. */
export type FileState = Pick<
  BigIntStats,
  | 'dev'
  | 'ino'
  | 'uid'
  | 'gid'
  | 'mode'
  | 'nlink'
  | 'size'
  | 'atimeNs'
  | 'mtimeNs'
  | 'ctimeNs'
  | 'birthtimeNs'
  | 'isFile'
  | 'isDirectory'
  | 'isSymbolicLink'
  | 'isFIFO'
  | 'isSocket'
  | 'isBlockDevice'
>;
