/**
 * Mounting without CAP_SYS_ADMIN: the set-uid helper fusermount3 opens /dev/fuse, mounts, and sends the descriptor back
 * over a socket whose number it finds in _FUSE_COMMFD (libfuse, doc/kernel.rst and util/fusermount.c).
 */
import { spawn, type StdioOptions } from 'node:child_process';
import { DavportError } from '../errors.js';
import type { NativeBinding } from './binding.js';

export type FusermountErrorCode =
  'FUSERMOUNT_NOT_FOUND' | 'FUSERMOUNT_NOT_PERMITTED' | 'FUSERMOUNT_FAILED';

/** The mount or its end was refused. The message names the remedy where one is known. */
export class FusermountError extends DavportError {
  declare readonly code: FusermountErrorCode;

  constructor(code: FusermountErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** fuse3 first; the helper of fuse 2 speaks the same protocol. */
const HELPERS = ['fusermount3', 'fusermount'] as const;
/** A helper may hang on a mountpoint whose former file system is dead. */
const HELPER_TIMEOUT_MS = 30_000;
/** The descriptor number of the socket in the helper: the first after stdin, stdout and stderr. */
const COMM_FD = 3;
/** More of the helper's words than this is of no use in a message. */
const MAX_COMPLAINT = 2000;

type Binding = Pick<NativeBinding, 'socketPair' | 'openFd' | 'receiveFd' | 'closeFd'>;

/**
 * Mounts and resolves to the /dev/fuse descriptor (CLOEXEC; the caller owns it). `options` as in mount.fuse(8), without fd,
 * rootmode, user_id and group_id, which the helper fills in, and without auto_unmount, for which it would have to stay.
 */
export async function mountWithFusermount(
  binding: Binding,
  mountpoint: string,
  options: string,
): Promise<number> {
  const args = options === '' ? ['--', mountpoint] : ['-o', options, '--', mountpoint];
  for (const helper of HELPERS) {
    const fd = await mountWith(binding, helper, args);
    if (fd !== undefined) return fd;
  }
  throw helperMissing();
}

/** `lazy`: detach now, even when files are open. */
export async function unmountWithFusermount(mountpoint: string, lazy: boolean): Promise<void> {
  const args = ['-u', ...(lazy ? ['-z'] : []), '--', mountpoint];
  for (const helper of HELPERS) {
    const outcome = await startHelper(helper, args, ['ignore', 'ignore', 'pipe']);
    if (outcome === undefined) continue;
    if (outcome.code !== 0) throw refused('unmount', outcome);
    return;
  }
  throw helperMissing();
}

async function mountWith(
  binding: Binding,
  helper: string,
  args: readonly string[],
): Promise<number | undefined> {
  const [ours, theirs] = binding.socketPair();
  let received: Promise<number | undefined>;
  let outcome: Outcome | undefined;
  try {
    const running = startHelper(helper, args, ['ignore', 'ignore', 'pipe', theirs]);
    received = receive(binding, ours);
    // Looked at below; when the helper can't be started nobody looks, and there is nothing to come.
    received.catch(() => undefined);
    outcome = await running;
  } finally {
    // Only now is every copy of their end closed, so that `received` settles whatever the helper did.
    binding.closeFd(theirs);
  }
  const fd = await received;
  if (fd !== undefined) return fd;
  if (outcome === undefined) return undefined;
  throw refused('mount', outcome);
}

/** The descriptor that arrives on `socket`, or undefined when the other end closes without. Closes `socket`. */
function receive(binding: Binding, socket: number): Promise<number | undefined> {
  const io = binding.openFd(socket);
  return new Promise((resolve, reject) => {
    io.watch(true, false, () => {
      try {
        const fd = binding.receiveFd(io.fd);
        if (fd === -1) return;
        io.close();
        resolve(fd === -2 ? undefined : fd);
      } catch (error) {
        io.close();
        reject(error);
      }
    });
  });
}

interface Outcome {
  readonly helper: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly complaint: string;
}

/** Undefined: there is no such program. */
function startHelper(
  helper: string,
  args: readonly string[],
  stdio: StdioOptions,
): Promise<Outcome | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(helper, args, {
      stdio,
      // The words of the helper are looked at for a remedy.
      env: { ...process.env, LC_ALL: 'C', _FUSE_COMMFD: String(COMM_FD) },
    });
    // Not spawn's own `timeout`: its timer goes on after a program was not found, and keeps the process alive.
    const limit = setTimeout(() => child.kill('SIGKILL'), HELPER_TIMEOUT_MS);
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, MAX_COMPLAINT);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(limit);
      if (error.code === 'ENOENT') resolve(undefined);
      else reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      resolve({ helper, code, signal, complaint: complaint.trim() });
    });
  });
}

function helperMissing(): FusermountError {
  return new FusermountError(
    'FUSERMOUNT_NOT_FOUND',
    'mounting without root needs fusermount3, which is not installed; on Debian: apt-get install fuse3',
  );
}

interface Remedy {
  readonly complaint: RegExp;
  readonly code: FusermountErrorCode;
  readonly remedy: string;
}

/** What fusermount.c says → what to do. Its exit code is 1 for everything, so its words are all there is. */
const REMEDIES: readonly Remedy[] = [
  {
    complaint: /user_allow_other/,
    code: 'FUSERMOUNT_NOT_PERMITTED',
    remedy: 'put the line user_allow_other into /etc/fuse.conf, or leave out allow_other',
  },
  {
    complaint: /failed to open \/dev\/fuse: Permission denied/,
    code: 'FUSERMOUNT_NOT_PERMITTED',
    remedy: 'make /dev/fuse usable for this user: chmod 666 /dev/fuse',
  },
  {
    complaint: /device not found|failed to open \/dev\/fuse/,
    code: 'FUSERMOUNT_FAILED',
    remedy: 'the kernel module is not loaded: modprobe fuse (in a container: give it /dev/fuse)',
  },
  {
    complaint: /no write access to mountpoint|user has no/,
    code: 'FUSERMOUNT_NOT_PERMITTED',
    remedy: 'mount on a folder that belongs to this user',
  },
  {
    complaint: /too many FUSE filesystems mounted/,
    code: 'FUSERMOUNT_NOT_PERMITTED',
    remedy: 'raise mount_max in /etc/fuse.conf',
  },
  {
    complaint: /mount failed: Operation not permitted|must be set-?uid|setuid/i,
    code: 'FUSERMOUNT_NOT_PERMITTED',
    remedy:
      'the helper must be set-uid root (chmod u+s), and a container needs the capability SYS_ADMIN',
  },
  {
    complaint: /not found in \/etc\/mtab|Invalid argument/,
    code: 'FUSERMOUNT_FAILED',
    remedy: 'nothing of this user is mounted there',
  },
  {
    complaint: /Device or resource busy/,
    code: 'FUSERMOUNT_FAILED',
    remedy: 'a program still uses it; a lazy unmount detaches it at once',
  },
  {
    complaint: /Transport endpoint is not connected/,
    code: 'FUSERMOUNT_FAILED',
    remedy: 'a dead mount is in the way: fusermount3 -uz it first',
  },
];

function refused(deed: 'mount' | 'unmount', outcome: Outcome): FusermountError {
  const { helper, code, signal, complaint } = outcome;
  const ended = signal === null ? `exit code ${String(code)}` : `ended by ${signal}`;
  const words =
    complaint === ''
      ? ended
      : complaint.replace(/^fusermount3?: /gm, '').replace(/\s*\n\s*/g, '; ');
  const known = REMEDIES.find((row) => row.complaint.test(complaint));
  const remedy = known === undefined ? '' : `; ${known.remedy}`;
  return new FusermountError(
    known?.code ?? 'FUSERMOUNT_FAILED',
    `${helper} did not ${deed}: ${words}${remedy}`,
  );
}
