import { readFile } from 'node:fs/promises';

/** A line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface MountInfo {
  readonly id: number;
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
  /** Of the device number; the name of a FUSE connection below /sys/fs/fuse/connections. */
  readonly minor: number;
  /** Who mounted it: the user_id option of FUSE file systems. */
  readonly uid: number | undefined;
}

/** The topmost mount at `mountpoint` (canonical path), if there is one. */
export async function findMount(mountpoint: string): Promise<MountInfo | undefined> {
  const text = await readFile('/proc/self/mountinfo', 'latin1');
  // Later lines lie over earlier ones at the same place.
  return parseMountInfo(text)
    .filter((mount) => mount.mountpoint === mountpoint)
    .at(-1);
}

/** `text` holds bytes as latin1 characters, because a path need not be UTF-8. */
export function parseMountInfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const separator = line.indexOf(' - ');
    if (separator < 0) continue;
    const before = line.slice(0, separator).split(' ');
    const [type, source, options] = line.slice(separator + 3).split(' ');
    const uid = /(?:^|,)user_id=(\d+)/.exec(options ?? '')?.[1];
    const [id, mountpoint] = [before[0], before[4]];
    if (id === undefined || mountpoint === undefined || type === undefined) continue;
    mounts.push({
      id: Number(id),
      mountpoint: unescape(mountpoint),
      type: unescape(type),
      source: unescape(source ?? ''),
      minor: Number(before[2]?.split(':')[1]),
      uid: uid === undefined ? undefined : Number(uid),
    });
  }
  return mounts;
}

/** Space, tab, newline and backslash are written as three octal digits. */
function unescape(field: string): string {
  const bytes = field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
