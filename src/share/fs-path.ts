/**
 * Paths that begin at an open folder instead of at `/`: `/proc/self/fd/N/name` is to the kernel what openat(N, "name") is, so that
 * nobody can swap a folder on the way for a symbolic link.
 */
import { constants, unlinkSync } from 'node:fs';
import { decodeName, encodeName } from '../names.js';
import { errnoCode } from './errors.js';

/** Bytes where the name is no UTF-8. */
export type FsPath = string | Buffer;

/** O_PATH of Linux (the same on all architectures Node runs on); node:constants has it not. */
const O_PATH = 0x200000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

/** A place in the tree, whatever it is, without opening it: pins the inode. */
export const PIN = O_PATH | O_NOFOLLOW;
/** A folder to walk on from. ENOTDIR for everything else, a symbolic link included. */
export const PIN_FOLDER = O_PATH | O_NOFOLLOW | O_DIRECTORY;

/** The open file itself. Symbolic: calls that don't follow links see the link in /proc. */
export function ofFd(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** `name` in the open folder `fd`; the folder itself for ''. */
export function at(fd: number, name: string): FsPath {
  if (name === '') return `/proc/self/fd/${fd}/.`;
  if (name.isWellFormed()) return `/proc/self/fd/${fd}/${name}`;
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), encodeName(name)]);
}

/** The open folder and the name that `at` made the path of. */
export function partsOf(path: FsPath): { fd: number; name: string } | undefined {
  const text = typeof path === 'string' ? path : decodeName(path);
  const [, fd, name] = /^\/proc\/self\/fd\/(\d+)\/(.*)$/s.exec(text) ?? [];
  if (fd === undefined || name === undefined) return undefined;
  return { fd: Number(fd), name: name === '.' ? '' : name };
}

/** The hidden folder of properties (property-store.ts): neither listed, nor found, nor made by clients. */
export const STORE_NAME = '.davport-properties';

/** unlink(2), if there is something. Not fs.rm: it looks first, and removes by path what is in a folder that was swapped in then. */
export function unlinkIfThere(path: FsPath): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw error;
  }
}

/** A name as `readdir` gives it with the encoding latin1: one character per byte, which costs no Buffer per name. */
export function fromLatin1Name(name: string): string {
  return /[\x80-\xff]/.test(name) ? decodeName(Buffer.from(name, 'latin1')) : name;
}
