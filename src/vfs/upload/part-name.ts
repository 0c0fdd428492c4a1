/** Names for what is on its way, by which a later process of this machine knows that its owner is gone. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { uploadName, uploadOwner, type UploadOwner } from '../../webdav/hidden-names.js';

/** proc(5): starttime is the 22nd field of stat, the 20th after the name of the program. */
const START_FIELD = 19;

let own: UploadOwner | undefined;
let known = false;

export function newPartName(): string {
  return uploadName(randomBytes(8), ownOwner());
}

/**
 * Did a process of this machine make it that is gone? Another machine's, one of another container, or one from before the last start of
 * the machine can't be told from one that is alive elsewhere: two virtual machines may be copies of one.
 */
export function isOrphan(name: string): boolean {
  const owner = uploadOwner(name);
  const here = ownOwner();
  if (owner === undefined || here === undefined || owner.home !== here.home) return false;
  return statOf(String(owner.pid))?.start !== owner.start;
}

/** Undefined where the machine doesn't say what it takes. */
function ownOwner(): UploadOwner | undefined {
  if (known) return own;
  known = true;
  const home = homeOf();
  const self = statOf('self');
  if (home !== undefined && self !== undefined) own = { home, ...self };
  return own;
}

function homeOf(): string | undefined {
  try {
    const parts = [
      readFileSync('/etc/machine-id', 'latin1').trim(),
      readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
      readlinkSync('/proc/self/ns/pid'),
      // Other users' processes may be hidden (hidepid in proc(5)).
      String(process.getuid?.()),
    ];
    return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
  } catch {
    return undefined;
  }
}

/** `start`: clock ticks since the machine was started. Undefined: there is no such process. */
function statOf(process: string): { pid: number; start: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${process}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid: Number.parseInt(stat, 10), start: Number(fields[START_FIELD]) };
  } catch {
    return undefined;
  }
}
