/**
 * Mounts as the kernel lists them (proc_pid_mountinfo(5)). A mountpoint itself is never touched: when nobody answers there,
 * whoever touches it hangs.
 */
import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../errors.js';
import { parseMountInfo, type MountInfo } from '../fuse/mountinfo.js';

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
