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

/** The mount that `file` lies on, or is the mountpoint of. */
export function mountOf(file: string): MountInfo | undefined {
  const all = parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'));
  const length = (mountpoint: string): number => (mountpoint === '/' ? 0 : mountpoint.length);
  let found: MountInfo | undefined;
  for (const mount of all) {
    const { mountpoint } = mount;
    const holds = mountpoint === file || mountpoint === '/' || file.startsWith(`${mountpoint}/`);
    // Of two at the same place the later one is what is seen.
    if (holds && length(mountpoint) >= length(found?.mountpoint ?? '/')) found = mount;
  }
  return found;
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
