/** `davport umount`: unmounts, and waits until what was written is at the peer. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DavportError, UsageError } from '../errors.js';
import { loadNativeBinding, MNT_DETACH } from '../native/binding.js';
import { EXIT, type CliIo, type CommandSpec, type ParsedArgs } from './command.js';
import type { MountInfo } from '../fuse/mountinfo.js';
import { mountsAt, resolveMountpoint } from './mountinfo.js';
import { findRuntimeState, isRunning, readOutcome, type FoundState } from './runtime-state.js';

const DEFAULT_TIMEOUT_SEC = 300;
/** The mount is gone by then; its process may need longer for what was written. */
const FORCED_WAIT_MS = 5000;
const POLL_MS = 50;

export const umountCommand: CommandSpec = {
  name: 'umount',
  summary: 'unmount, after everything written there has been uploaded',
  usage: 'MOUNTPOINT [--force] [--timeout SECONDS]',
  description: [
    'Unmounts MOUNTPOINT and returns when its process has uploaded what was written and has',
    'ended. While files are open there it fails, as umount(8) does, and the mount goes on.',
  ],
  positionals: { min: 1, max: 1 },
  options: [
    {
      name: 'force',
      help: 'take the mount away at once, also while it is in use: operations on it fail',
    },
    {
      name: 'timeout',
      value: 'SECONDS',
      help: `how long to wait for uploads (default ${DEFAULT_TIMEOUT_SEC}); they go on afterwards`,
    },
  ],
  examples: [
    { line: 'davport umount /mnt/share', says: 'The usual way.' },
    {
      line: 'davport umount --force /mnt/share',
      says: 'The peer is dead and programs hang there.',
    },
  ],
  run: umount,
};

async function umount(args: ParsedArgs, io: CliIo): Promise<number> {
  const timeoutMs = parseTimeout(args.value('timeout'));
  const mountpoint = resolveMountpoint(args.positionals[0]!, io.cwd);
  const mount = mountsAt(mountpoint).at(-1);
  const uid = mount?.uid ?? process.getuid?.() ?? 0;
  const state = findRuntimeState(io.env, mountpoint, uid);
  if (mount) {
    if (!state && mount.type !== 'fuse.davport') {
      throw new UsageError(`${mountpoint} is no davport mount but ${mount.type}; use umount(8)`);
    }
    await detach(mount, args.has('force'));
  } else if (!state) {
    throw new DavportError('NOT_MOUNTED', `nothing is mounted at ${mountpoint}; see: findmnt`);
  }
  if (!state) return EXIT.ok;
  if (!args.has('force')) return await waitForEnd(state, timeoutMs, io);
  // Without this a process whose files are still open somewhere would go on serving them.
  askToEnd(state);
  await waitForEnd(state, FORCED_WAIT_MS, io);
  return EXIT.ok;
}

function askToEnd(state: FoundState): void {
  try {
    if (isRunning(state)) process.kill(state.pid, 'SIGTERM');
  } catch {
    // It has ended meanwhile, or belongs to somebody else.
  }
}

function parseTimeout(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT_SEC * 1000;
  if (!/^\d{1,6}$/.test(text))
    throw new UsageError('--timeout is a number of seconds: --timeout 60');
  return Number(text) * 1000;
}

async function detach(mount: MountInfo, force: boolean): Promise<void> {
  if (force) abortConnection(mount);
  const binding = loadNativeBinding();
  if (process.getuid?.() === 0 && !(binding instanceof Error)) {
    try {
      binding.umount(mount.mountpoint, force ? MNT_DETACH : 0);
      return;
    } catch (error) {
      throw umountError(mount.mountpoint, error);
    }
  }
  await runUnmounter(mount.mountpoint, force);
}

/** Ends every request that waits for an answer (fusectl). */
function abortConnection(mount: MountInfo): void {
  try {
    writeFileSync(`/sys/fs/fuse/connections/${mount.minor}/abort`, '1');
  } catch {
    // fusectl is not mounted, or not ours to write: the lazy unmount alone takes the path away.
  }
}

async function runUnmounter(mountpoint: string, lazy: boolean): Promise<void> {
  const root = process.getuid?.() === 0;
  const programs = root ? ['umount'] : ['fusermount3', 'fusermount'];
  const options = root ? (lazy ? ['-l'] : []) : lazy ? ['-uz'] : ['-u'];
  for (const program of programs) {
    try {
      await promisify(execFile)(program, [...options, '--', mountpoint]);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw umountError(mountpoint, error);
    }
  }
  throw new DavportError(
    'UMOUNT_FAILED',
    `${programs[0]!} is missing; get it with: sudo apt-get install fuse3`,
  );
}

function umountError(mountpoint: string, error: unknown): DavportError {
  const { code, message, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
  const text = stderr?.trim() ?? message;
  if (code === 'EBUSY' || /busy/i.test(text)) {
    return new DavportError(
      'UMOUNT_BUSY',
      `${mountpoint} is in use; see who uses it: fuser -vm ${mountpoint}; ` +
        `or take it away from them: davport umount --force ${mountpoint}`,
      { cause: error },
    );
  }
  return new DavportError('UMOUNT_FAILED', `cannot unmount ${mountpoint}: ${text}`, {
    cause: error,
  });
}

/** Prints what the process of the mount does, until it is gone. */
async function waitForEnd(state: FoundState, timeoutMs: number, io: CliIo): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  let shown = state.message;
  while (isRunning(state)) {
    const now = readOutcome(state)?.message ?? shown;
    if (now !== shown) io.err(`davport: ${now}`);
    shown = now;
    if (performance.now() > deadline) {
      io.err(
        `davport: ${state.mountpoint} is unmounted, but its process ${state.pid} is not done yet: ` +
          `${shown}; it goes on by itself`,
      );
      return EXIT.failed;
    }
    await delay(POLL_MS);
  }
  const outcome = readOutcome(state);
  if (outcome?.phase !== 'failed') return EXIT.ok;
  io.err(`davport: ${outcome.message}`);
  return EXIT.failed;
}
