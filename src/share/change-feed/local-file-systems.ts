/** Where the kernel sees every change: not on a network's or another program's file system, which others change behind its back. */
import fs from 'node:fs';
import type { FsPath } from '../fs-path.js';

/** f_type of statfs(2), as linux/magic.h and the file systems' own sources have them. */
const LOCAL: ReadonlySet<bigint> = new Set([
  0xef53n, // ext2, ext3, ext4
  0x58465342n, // xfs
  0x9123683en, // btrfs
  0xf2f52010n, // f2fs
  0xca451a4en, // bcachefs
  0x2fc12fc1n, // zfs
  0x3153464an, // jfs
  0x52654973n, // reiserfs
  0x3434n, // nilfs2
  0x01021994n, // tmpfs
  0x858458f6n, // ramfs
  0x794c7630n, // overlayfs
  0x4d44n, // vfat
  0x2011bab0n, // exfat
  0x7366746en, // ntfs3
  0x482bn, // hfsplus
  0x73717368n, // squashfs
  0xe0f5e1e2n, // erofs
  0x9660n, // iso9660
  0x15013346n, // udf
]);

export function tellsAllChanges(path: FsPath): boolean {
  return LOCAL.has(fs.statfsSync(path, { bigint: true }).type);
}
