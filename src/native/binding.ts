/**
 * The only loader of the addon in `native/`, with its types written by hand. Mechanism only: no policy lives in C.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Readiness, as poll(2) has it. */
export interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly hangup: boolean;
}

/**
 * One descriptor, watched on the event loop of the environment that created it. Owns the descriptor: `close()` closes it.
 * Calls after `close()` throw ERR_FD_CLOSED. System call errors are `Error` with `code` (errno name), `errno` (negative,
 * as in node:fs), `syscall` and, where there is one, `path`.
 */
export interface FdIo {
  readonly fd: number;
  /**
   * Level-triggered watch; `callback` runs on the event loop with what is ready. Both false stops watching.
   * A hang-up is reported again and again: stop watching then. An error condition (a FUSE device whose file system was
   * unmounted, a pipe without reader) is reported once, as all three, and ends the watch; the next read or write says
   * which it was. A watched descriptor keeps the event loop alive.
   */
  watch(readable: boolean, writable: boolean, callback: (ready: Readiness) => void): void;
  /** poll(2) with timeout 0. */
  poll(): Readiness;
  /** One non-blocking read(2) into `buffer[offset…]`: bytes read, 0 at end of file, -1 for EAGAIN. EINTR is retried. */
  read(buffer: Buffer, offset?: number): number;
  /**
   * Many reads, one message each (for /dev/fuse): while at least `minSpace` bytes of `buffer` are left and at most `ends.length`
   * messages, message i lies at [ends[i-1] rounded up to 8, ends[i]). Returns the number of messages; 0 for EAGAIN.
   * Throws ENODEV when the file system was unmounted (or at end of file, of other descriptors). Interrupted reads (EINTR, ENOENT of an interrupted request) are retried.
   * `spinUs` (at most 1000): for so long it looks again and again for a first message, and holds up the event loop.
   */
  readBatch(buffer: Buffer, ends: Uint32Array, minSpace: number, spinUs?: number): number;
  /**
   * One non-blocking writev(2): bytes written, -1 for EAGAIN. At most 1024 buffers. Throws ENOENT on /dev/fuse when the request
   * that is answered is gone (interrupted, or unmounted); no harm is done then.
   */
  writev(buffers: readonly Uint8Array[]): number;
  /** Idempotent; also allowed within the callback of `watch`, which is not called again. `fd` is -1 then. */
  close(): void;
}

/** Bytes where a name may not be UTF-8. A NUL in it is a TypeError. */
export type Path = string | Uint8Array;

export interface NativeBinding {
  /** Takes over `fd`, sets O_NONBLOCK and CLOEXEC. */
  openFd(fd: number): FdIo;
  /** open(2) with O_NONBLOCK|O_CLOEXEC added to `flags`. */
  open(path: Path, flags: number): FdIo;
  /**
   * Opens /dev/fuse and mounts it with mount(2) (needs CAP_SYS_ADMIN). `options` is the comma list for the kernel without fd=
   * (rootmode=40000,user_id=0,group_id=0,allow_other,max_read=…); `flags` the MS_* bits. Returns the /dev/fuse descriptor.
   */
  mountFuse(source: string, target: string, type: string, flags: number, options: string): number;
  /**
   * umount2(2); `flags` MNT_* bits. A process that serves the file system itself gives MNT_DETACH: the kernel may flush
   * data to it, and it could not answer in the middle of this call.
   */
  umount(target: string, flags: number): void;
  /** Socket pair for the fusermount3 hand-shake. Both ends are CLOEXEC: the child gets its end through `stdio` of spawn. */
  socketPair(): [number, number];
  /** Receives one descriptor by SCM_RIGHTS from `socket` (non-blocking): the descriptor (CLOEXEC), -1 for EAGAIN, -2 at end. */
  receiveFd(socket: number): number;
  closeFd(fd: number): void;
  /** flock(2), exclusive, without waiting: false where somebody else has the lock. It ends with the descriptor, at the latest with the process. */
  lockFile(fd: number): boolean;
  /** Extended attributes, symbolic links not followed. Undefined: no such attribute (ENODATA). */
  getxattr(path: Path, name: string): Buffer | undefined;
  setxattr(path: Path, name: string, value: Uint8Array): void;
  listxattr(path: Path): string[];
  removexattr(path: Path, name: string): void;
  /**
   * Reads on in the open folder `fd` (O_RDONLY): the names and states of its next members, without "." and "..", links not followed.
   * Returns their number, and its one's complement (~) when there are no more. Each name ends with a NUL in `names`; `states` has 13 fields for each member, in this order:
   * where the name ends, mode (or a negative errno where the state can not be told), nlink, size, ino, dev, times of access, modification, change
   * and birth (nanoseconds; 0 for unknown), and the bytes of its list of extended attributes (0: it has none for sure; -1: not known,
   * as without `withAttributes`), user and group that own it. Members that have gone are left out. Stops after about `limitMs`, with one member at least.
   * Room for one read of the folder: 64 KiB of names and 2048 members. ERANGE: not even one fits.
   */
  readMembers(
    fd: number,
    names: Uint8Array,
    states: BigInt64Array,
    withAttributes: boolean,
    limitMs: number,
  ): number;
  /** The same in a thread of the pool. Until it settles, `fd` stays open, and `names` and `states` belong to it. */
  readMembersAhead(
    fd: number,
    names: Uint8Array,
    states: BigInt64Array,
    withAttributes: boolean,
    limitMs: number,
  ): Promise<number>;
  /** Times of a file, or of a symbolic link itself. Seconds may be negative, an nsec is 0..999999999; -1: that time stays. */
  settimes(
    path: Path,
    atimeSec: number,
    atimeNsec: number,
    mtimeSec: number,
    mtimeNsec: number,
  ): void;
  /**
   * preadv2(2) with RWF_NOWAIT: as many bytes as the kernel has at hand, up to `length`; 0 at the end of the file, -1 when it would have
   * to wait for them, or can't tell (which file systems without such a read always say).
   */
  readCached(fd: number, buffer: Uint8Array, length: number, position: number): number;
  /** State of a name in the open folder `fd`, a link's own; of `fd` itself for "". One row as `readMembers` fills them. False: nothing is there. */
  statAt(fd: number, name: Path, state: BigInt64Array): boolean;
  /**
   * openat2(2) of what `path` leads to from the open folder `fd` on, which it can't leave and where no symbolic link is followed (ELOOP),
   * with O_CLOEXEC. ENOSYS: a kernel before 5.6, or a filter. Fills `state` with that of `name` in it; mode 0: nothing is there, -errno:
   * the state can't be had.
   */
  findBeneath(fd: number, path: Path, flags: number, name: Path, state: BigInt64Array): number;
  /**
   * Makes a file with that content in the open folder `fd`, where there is nothing of that name (EEXIST): open for reading and writing,
   * behind the content. When it fails, nothing is left. Fills `states` as `findBeneath` does: with that of `other` in the folder once
   * the content is there, with its attributes, and, unless there is no `other`, with that of the new file. '' is never there.
   */
  createAt(
    fd: number,
    name: Path,
    mode: number,
    content: Uint8Array,
    other: Path,
    states: BigInt64Array,
  ): number;
  /**
   * renameat2(2) within the open folder `fd`. When it is done, `opened`, a descriptor of what was renamed, is closed, and `state` filled as
   * `findBeneath` does with that of it. True: there is something of the name `beside`, or that can't be told; '' is never there.
   */
  renameAt(
    fd: number,
    from: Path,
    to: Path,
    flags: number,
    opened: number,
    beside: Path,
    state: BigInt64Array,
  ): boolean;
  /**
   * All bytes of a regular file in the open folder `fd` that has just as many as `buffer`, with its state before they were read. -1:
   * it hasn't, or is no regular file (which is not opened). Links are not followed.
   */
  readFileAt(fd: number, name: Path, buffer: Uint8Array, state: BigInt64Array): number;
  /**
   * Reads whole small files of the open folder `folder` (O_PATH is enough), one behind the other, in a thread of the pool. `names`: each with a NUL behind it.
   * `lengths`: of each file its bytes, or a negative errno: EFBIG for one that doesn't fit into `bytes` even alone, or grows; ELOOP for
   * a symbolic link, EINVAL for anything else that is no regular file, none of which is opened. Resolves with how many of the files were
   * looked at: ends early when `bytes` or `lengths` is full, or after about `limitMs`, with one at least. Until it settles, `folder` stays
   * open, and the three arrays belong to it.
   */
  readFiles(
    folder: number,
    names: Uint8Array,
    bytes: Uint8Array,
    lengths: Int32Array,
    limitMs: number,
  ): Promise<number>;
  /** inotify_init1(2), non-blocking: to be read through `openFd`. */
  inotifyInit(): number;
  /** inotify_add_watch(2): the watch, the same one for the same file. `mask`: IN_* bits. */
  inotifyAdd(fd: number, path: Path, mask: number): number;
  inotifyRemove(fd: number, watch: number): void;
}

export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_NOATIME = 1024;
export const MNT_DETACH = 2;

let loaded: NativeBinding | Error | undefined;

/** The addon, or the reason why it isn't there (not built, wrong architecture). */
export function loadNativeBinding(): NativeBinding | Error {
  loaded ??= tryLoad();
  return loaded;
}

function tryLoad(): NativeBinding | Error {
  const path = fileURLToPath(
    new URL(`../../native/build/davport-${process.arch}.node`, import.meta.url),
  );
  try {
    return createRequire(import.meta.url)(path) as NativeBinding;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
