import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { DavportError } from '../errors.js';
import { FusermountError, unmountWithFusermount } from '../native/fusermount.js';
import { findMount } from './mountinfo.js';

const execute = promisify(execFile);
const UMOUNT_TIMEOUT_MS = 30_000;

/**
 * Unmounts `mountpoint`. Always in another process: the kernel may write out mapped pages first, which the event loop must be free
 * to answer. `lazy` detaches the path at once, even when files are open.
 */
export async function unmountPath(mountpoint: string, lazy: boolean): Promise<void> {
  try {
    await unmount(mountpoint, lazy);
  } catch (error) {
    const still = await findMount(mountpoint);
    if (still === undefined) return;
    throw new DavportError(
      'EBUSY',
      `${mountpoint} can't be unmounted: programs still use it. Close them (fuser -vm ${mountpoint} ` +
        'shows them), or detach it with davport umount --force',
      { cause: error },
    );
  }
}

async function unmount(mountpoint: string, lazy: boolean): Promise<void> {
  try {
    await unmountWithFusermount(mountpoint, lazy);
  } catch (error) {
    const missing = error instanceof FusermountError && error.code === 'FUSERMOUNT_NOT_FOUND';
    if (!missing || process.getuid?.() !== 0) throw error;
    const args = [...(lazy ? ['-l'] : []), '--', mountpoint];
    await execute('umount', args, { timeout: UMOUNT_TIMEOUT_MS });
  }
}
