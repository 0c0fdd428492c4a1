import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { UsageError } from '../errors.js';
import type { Logger } from '../log.js';
import { findMount } from './mountinfo.js';
import { unmountPath } from './unmount.js';

const execute = promisify(execFile);
/** A mount that does not answer by then is taken for alive but stuck. */
const PROBE_TIMEOUT_MS = 5_000;

/**
 * The canonical path of a folder that can be mounted on. What a crashed davport left mounted there is detached first.
 * Throws UsageError with the remedy when it can't be mounted on.
 */
export async function prepareMountpoint(given: string, log: Logger): Promise<string> {
  const named = await canonicalParent(given);
  if (await clearDeadMount(named, log)) return named;
  const mountpoint = await canonical(named, given);
  // Reached through a symbolic link, it may be a mountpoint all the same.
  if (mountpoint !== named && (await clearDeadMount(mountpoint, log))) return mountpoint;
  await checkFolder(mountpoint);
  return mountpoint;
}

/** The last name is not looked at: a dead mount there answers nothing but ENOTCONN. */
async function canonicalParent(given: string): Promise<string> {
  const absolute = path.resolve(given);
  if (absolute === '/') throw new UsageError('the root folder cannot be mounted on; name another');
  const parent = await canonical(path.dirname(absolute), given);
  return path.join(parent, path.basename(absolute));
}

async function canonical(name: string, given: string): Promise<string> {
  try {
    return await realpath(name);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') {
      throw new UsageError(`mountpoint ${given} does not exist; make it with: mkdir -p ${given}`, {
        cause: error,
      });
    }
    if (code === 'ENOTDIR') {
      throw new UsageError(`mountpoint ${given} is not a folder; name a folder`, { cause: error });
    }
    throw new UsageError(`mountpoint ${given} cannot be reached (${code}); name another folder`, {
      cause: error,
    });
  }
}

/** True when a dead mount was there and is gone. Throws when a live davport is there. */
async function clearDeadMount(mountpoint: string, log: Logger): Promise<boolean> {
  const mounted = await findMount(mountpoint);
  if (mounted === undefined || !/^fuse(\.|$)/.test(mounted.type)) return false;
  const state = await probe(mountpoint);
  if (state === 'dead') {
    log.warn('taking over a mountpoint whose file system is gone', { mountpoint });
    await unmountPath(mountpoint, true);
    return true;
  }
  if (state === 'stuck' || mounted.type === 'fuse.davport') {
    const remedy = `unmount it first: davport umount ${state === 'stuck' ? '--force ' : ''}${mountpoint}`;
    throw new UsageError(`${mountpoint} is mounted already (${mounted.type}); ${remedy}`);
  }
  return false;
}

/**
 * Asked in another process: a call on a stuck mount never returns, and would keep this process from ending. Of the file system: attributes
 * are told by the kernel for as long as it may keep them, also when nobody is there any more.
 */
async function probe(mountpoint: string): Promise<'alive' | 'dead' | 'stuck'> {
  try {
    await execute('stat', ['--file-system', '--', mountpoint], {
      env: { ...process.env, LC_ALL: 'C' },
      timeout: PROBE_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    return 'alive';
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    if (output.includes('Transport endpoint is not connected')) return 'dead';
    return error instanceof Error && 'killed' in error && error.killed === true ? 'stuck' : 'alive';
  }
}

async function checkFolder(mountpoint: string): Promise<void> {
  if (!(await stat(mountpoint)).isDirectory()) {
    throw new UsageError(`mountpoint ${mountpoint} is not a folder; name a folder`);
  }
  if (process.geteuid?.() === 0) return;
  try {
    await access(mountpoint, constants.W_OK);
  } catch (error) {
    throw new UsageError(
      `mountpoint ${mountpoint} is not writable by this user; name a folder of your own`,
      { cause: error },
    );
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
