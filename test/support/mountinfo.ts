/** Mounts as the kernel tells them. Never a stat: a mount may hang, and whoever stats it with it. */
import { readFileSync, writeFileSync } from 'node:fs';

export interface MountEntry {
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
  /** Minor device number: the name of the connection under /sys/fs/fuse/connections. */
  readonly minor: number;
}

const unescape = (field: string): string =>
  Buffer.from(
    field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    ),
    'latin1',
  ).toString();

export function listMounts(): MountEntry[] {
  const lines = readFileSync('/proc/self/mountinfo', 'latin1').trimEnd().split('\n');
  return lines.map((line) => {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    return {
      mountpoint: unescape(fields[4]!),
      minor: Number(fields[2]!.split(':')[1]),
      type: fields[dash + 1]!,
      source: unescape(fields[dash + 2]!),
    };
  });
}

export function mountsAt(directory: string): MountEntry[] {
  return listMounts().filter((mount) => mount.mountpoint === directory);
}

export function mountsBelow(directory: string): MountEntry[] {
  return listMounts().filter(
    ({ mountpoint }) => mountpoint === directory || mountpoint.startsWith(`${directory}/`),
  );
}

/** Ends every request that waits on the FUSE mounts at `directory`, with ECONNABORTED. */
export function abortMounts(directory: string): void {
  for (const mount of mountsAt(directory)) {
    if (!mount.type.startsWith('fuse')) continue;
    try {
      writeFileSync(`/sys/fs/fuse/connections/${mount.minor}/abort`, '1');
    } catch {
      // The connection is gone.
    }
  }
}
