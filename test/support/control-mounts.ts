/**
 * Other ways to the served folder, to test the tests: TEST_VIA=folder (the plain folder: everything must pass), rclone, davfs2
 * (HTTP peers only; what they cannot do must fail).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startBackground, type Background } from './background.js';
import { onCleanup } from './cleanup.js';
import type { Mount } from './mount.js';
import { abortMounts, mountsAt } from './mountinfo.js';
import { onStuckProcess, run } from './run.js';
import { makeTempDir } from './temp-dir.js';
import { waitUntil } from './wait-until.js';

export const VIAS = ['davport', 'folder', 'rclone', 'davfs2'] as const;
export type Via = (typeof VIAS)[number];

export function selectedVia(): Via {
  const name = process.env['TEST_VIA'] ?? 'davport';
  const via = VIAS.find((each) => each === name);
  if (via === undefined) throw new Error(`TEST_VIA: ${name} is none of ${VIAS.join(', ')}`);
  return via;
}

const nothing = async (): Promise<void> => undefined;

export function plainFolder(dir: string): Mount {
  return {
    dir,
    pid: process.pid,
    exited: new Promise(() => undefined),
    log: () => '',
    unmount: nothing,
    kill9: nothing,
    remount: nothing,
    signal: () => undefined,
    discard: nothing,
  };
}

function start(via: 'rclone' | 'davfs2', url: string, dir: string, state: string): Background {
  if (via === 'rclone') {
    const remote = `:webdav,url="${url}":`;
    const flags = ['--vfs-cache-mode', 'full', '--cache-dir', state, '--vfs-write-back', '0s'];
    return startBackground('rclone', ['mount', remote, dir, '--config', '/dev/null', ...flags]);
  }
  writeFileSync(`${state}/conf`, `use_locks 0\ncache_dir ${state}\ndelay_upload 0\nask_auth 0\n`);
  return startBackground('mount.davfs', [url, dir, '-o', `conf=${state}/conf`]);
}

export async function controlMount(via: 'rclone' | 'davfs2', url: string): Promise<Mount> {
  const dir = join(makeTempDir('davport-mnt-'), 'mnt');
  mkdirSync(dir);
  let server: Background;
  const up = async (): Promise<void> => {
    server = start(via, url, dir, makeTempDir('davport-control-'));
    await waitUntil(via, () => mountsAt(dir).length > 0);
  };
  const unmount = async (): Promise<void> => {
    await run('umount', [dir]);
    await server.exited;
  };
  onCleanup({ run: async () => abortMounts(dir), runSync: () => abortMounts(dir) });
  onStuckProcess(() => abortMounts(dir));
  await up();
  return {
    dir,
    get pid() {
      return server.pid;
    },
    get exited() {
      return server.exited;
    },
    log: () => server.log(),
    unmount,
    async kill9() {
      server.kill('SIGKILL');
      await server.exited;
    },
    async remount() {
      if (mountsAt(dir).length > 0) await unmount();
      await up();
    },
    signal: (signal) => server.kill(signal),
    async discard() {
      abortMounts(dir);
      await run('umount', ['-l', '-c', dir], { accept: 'any' });
      await server.stop();
    },
  };
}
