/**
 * Mounts as the kernel lists them (proc_pid_mountinfo(5)). A mountpoint itself is never touched: when nobody answers there,
 * whoever touches it hangs.
 */
import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../errors.js';

export interface MountInfo {
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
  /** Of the device number; the name of the connection below /sys/fs/fuse/connections. */
  readonly minor: number;
  /** Who mounted it: the user_id option of FUSE file systems. */
  readonly uid: number | undefined;
}

export function parseMountInfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    if (dash === -1) continue;
    const uid = /(?:^|,)user_id=(\d+)/.exec(fields[dash + 3] ?? '')?.[1];
    mounts.push({
      mountpoint: unescapeField(fields[4]!),
      type: unescapeField(fields[dash + 1] ?? ''),
      source: unescapeField(fields[dash + 2] ?? ''),
      minor: Number(fields[2]!.split(':')[1]),
      uid: uid === undefined ? undefined : Number(uid),
    });
  }
  return mounts;
}

/** Space, tab, newline and backslash are written as \ooo. */
function unescapeField(field: string): string {
  const bytes = field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}

/** The mounts at `mountpoint`, the visible one last. */
export function mountsAt(mountpoint: string): MountInfo[] {
  const all = parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'));
  return all.filter((mount) => mount.mountpoint === mountpoint);
}

/** Absolute, without links in the folders above: what the kernel lists. The last part is not looked at. */
export function resolveMountpoint(given: string, cwd: string): string {
  if (given === '') throw new UsageError('the mountpoint is empty; name a folder');
  const absolute = path.resolve(cwd, given);
  if (absolute === '/') return absolute;
  try {
    return path.join(realpathSync(path.dirname(absolute)), path.basename(absolute));
  } catch (error) {
    throw new UsageError(`no such folder: ${absolute}; make it with: mkdir -p ${absolute}`, {
      cause: error,
    });
  }
}
