/** A davport mount in a process of its own, watched through mountinfo only. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Background, Exit } from './background.js';
import { onCleanup } from './cleanup.js';
import { davport, startDavport } from './davport.js';
import { abortMounts, mountsAt } from './mountinfo.js';
import { bash, onStuckProcess } from './run.js';
import { makeTempDir } from './temp-dir.js';
import { waitUntil } from './wait-until.js';

export interface MountOptions {
  readonly channel: string;
  /** Values of -o. */
  readonly options?: readonly string[];
  readonly bridge?: 'kernel' | 'fuse-native';
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a new folder. */
  readonly dir?: string;
}

export interface Mount {
  readonly dir: string;
  /** Of the process that serves the mount at present. */
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** Output of all processes that served it. */
  log(): string;
  /** `davport umount`; fails unless the mount is gone and the process has ended with 0. */
  unmount(): Promise<void>;
  /** SIGKILL to the serving process: leaves a dead mount behind. */
  kill9(): Promise<void>;
  /** The same command again (after an unmount where it still runs). */
  remount(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Out of the way, by force if need be. Never fails. */
  discard(): Promise<void>;
}

const UNMOUNT_LIMIT_MS = 30_000;

function forceUnmount(dir: string): void {
  abortMounts(dir);
  while (mountsAt(dir).length > 0) {
    const done = spawnSync('umount', ['-l', '-c', dir], { timeout: 10_000 });
    if (done.status !== 0) return;
  }
}

/** It says so itself; a look at mountinfo alone cannot tell a new mount from the dead one that it takes over. */
async function waitMounted(dir: string, server: Background): Promise<void> {
  await waitUntil(
    `mount of ${dir}`,
    () => {
      if (!server.running) throw new Error('davport ended at once');
      return server.log().includes(`is mounted at ${dir}`) && mountsAt(dir).length > 0;
    },
    15_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${server.log()}`);
  });
}

export async function mountDavport(given: MountOptions): Promise<Mount> {
  const dir = given.dir ?? join(makeTempDir('davport-mnt-'), 'mnt');
  mkdirSync(dir, { recursive: true });
  const options = [...(given.options ?? [])];
  if (given.bridge !== undefined) options.push(`bridge=${given.bridge}`);
  const env = { XDG_CACHE_HOME: makeTempDir('davport-cache-'), ...given.env };
  const args = ['mount', given.channel, dir, '-f'];
  if (options.length > 0) args.push('-o', options.join(','));

  const logs: string[] = [];
  let server: Background;
  const start = async (): Promise<void> => {
    server = startDavport(args, env);
    await waitMounted(dir, server);
  };
  const discard = async (): Promise<void> => {
    forceUnmount(dir);
    await server.stop(3000);
    forceUnmount(dir);
    forget();
    forgetStuck();
  };
  const forget = onCleanup({ run: discard, runSync: () => forceUnmount(dir) });
  const forgetStuck = onStuckProcess(() => abortMounts(dir));
  const unmount = async (): Promise<void> => {
    const result = await davport(['umount', dir], { timeoutMs: UNMOUNT_LIMIT_MS });
    if (result.code !== 0) {
      throw new Error(`umount: exit ${result.code}: ${result.stderr}\n${server.log()}`);
    }
    if (mountsAt(dir).length > 0) throw new Error(`umount: ${dir} is still mounted`);
    await endsWithin(server, 10_000, 'davport after umount');
  };
  await start();
  return {
    dir,
    get pid() {
      return server.pid;
    },
    get exited() {
      return server.exited;
    },
    log: () => [...logs, server.log()].join(''),
    unmount,
    async kill9() {
      server.kill('SIGKILL');
      await server.exited;
    },
    async remount() {
      if (server.running) await unmount();
      logs.push(server.log());
      await start();
    },
    signal: (signal) => server.kill(signal),
    discard,
  };
}

/** Waits for the end of a server that has been told to end, and wants exit code 0. */
export async function endsWithin(server: Background, ms: number, what: string): Promise<void> {
  await waitUntil(`end of ${what}`, () => !server.running, ms).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${server.log()}`);
  });
  const exit = await server.exited;
  if (exit.code !== 0) {
    throw new Error(`${what}: exit ${exit.code ?? exit.signal}\n${server.log()}`);
  }
}

/** Drops the kernel's caches, so that a later read comes from the file system and not from pages it left behind. */
export const dropCaches = (): Promise<unknown> =>
  bash('sync -f /tmp; echo 3 > /proc/sys/vm/drop_caches');
