/** Other programs that mount a WebDAV server, where they are installed; as a user gets them, and with empty caches at each mount. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { startBackground, type Background } from '../../support/background.js';
import { onCleanup } from '../../support/cleanup.js';
import { abortMounts, mountsAt } from '../../support/mountinfo.js';
import { bash, run } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { environmentOf, processes, residentOf } from '../processes.js';
import type { Server } from '../servers.js';
import type { Side } from '../side.js';
import { mountedSide } from './mounted.js';

export const PEER_PROGRAMS = ['davfs2', 'rclone', 'gvfs'] as const;
export type PeerProgram = (typeof PEER_PROGRAMS)[number];

const GVFS = '/usr/libexec';

const NEEDS: Readonly<Record<PeerProgram, readonly string[]>> = {
  davfs2: ['/usr/sbin/mount.davfs'],
  rclone: ['/usr/bin/rclone'],
  gvfs: [`${GVFS}/gvfsd-fuse`, '/usr/bin/gio', '/usr/bin/dbus-daemon'],
};

export const isInstalled = (name: PeerProgram): boolean => NEEDS[name].every(existsSync);

interface Program {
  /** Gives the folder of the server. */
  mount(): Promise<string>;
  /** Ends in good order: nothing is left to upload. */
  unmount(): Promise<void>;
  pids(): readonly number[];
}

const PROGRAMS: Readonly<Record<PeerProgram, (url: string, state: string) => Program>> = {
  davfs2,
  rclone,
  gvfs,
};

export function peerSide(name: PeerProgram, server: Server, served: string): Side {
  const state = makeTempDir(`davport-bench-${name}-`);
  const program = PROGRAMS[name](server.channel, state);
  let folder: string | undefined;
  const unmount = async (): Promise<void> => {
    if (folder === undefined) return;
    folder = undefined;
    await program.unmount();
  };
  onCleanup({ run: unmount, runSync: () => abortMounts(`${state}/mnt`) });
  return mountedSide({
    name,
    dir: () => folder!,
    served,
    server,
    async remount() {
      await unmount();
      await bash('rm -rf "$1"/cache; mkdir -p "$1"/mnt "$1"/cache', [state]);
      folder = await program.mount();
    },
    memory: () => program.pids().reduce((sum, pid) => sum + residentOf(pid), 0),
    end: unmount,
  });
}

const UNMOUNT = { accept: 'any', timeoutMs: 120_000 } as const;

function davfs2(url: string, state: string): Program {
  const mnt = `${state}/mnt`;
  const pidFile = `/run/mount.davfs/${mnt.slice(1).replaceAll('/', '-')}.pid`;
  return {
    async mount() {
      // Its default, that is in megabytes a 64 KiB; what it holds is given to its own group.
      writeFileSync(`${state}/conf`, `ask_auth 0\nbuf_size 64\ncache_dir ${state}/cache\n`);
      writeFileSync(`${state}/secrets`, '', { mode: 0o600 });
      await bash('chown root:davfs2 "$1"/cache && chmod 1775 "$1"/cache && chmod 755 "$1"', [
        state,
      ]);
      await run('mount.davfs', [url, mnt, '-o', `conf=${state}/conf,uid=0,gid=0`]);
      return mnt;
    },
    async unmount() {
      await run('umount', [mnt], UNMOUNT);
    },
    pids: () => [Number(readFileSync(pidFile, 'utf8'))],
  };
}

function rclone(url: string, state: string): Program {
  const mnt = `${state}/mnt`;
  let server: Background;
  return {
    async mount() {
      const args = ['mount', ':webdav:', mnt, '--config', '/dev/null', '--webdav-url', url];
      args.push('--webdav-vendor', 'other', '--vfs-cache-mode', 'writes');
      args.push('--cache-dir', `${state}/cache`);
      server = startBackground('rclone', args);
      await waitUntil('rclone', () => mountsAt(mnt).length > 0);
      return mnt;
    },
    async unmount() {
      await run('fusermount3', ['-u', mnt], UNMOUNT);
      await server.stop(60_000);
    },
    pids: () => [server.pid],
  };
}

/** A session bus of its own, the daemon, its FUSE end, and the mount that a file manager would make. */
function gvfs(url: string, state: string): Program {
  const mnt = `${state}/mnt`;
  const running: Background[] = [];
  let bus = '';
  return {
    async mount() {
      await bash('mkdir -p "$1"/run "$1"/home && chmod 700 "$1"/run', [state]);
      // Also of the bus: what it starts by itself would mount in the home of whoever runs the bench.
      const own = {
        XDG_RUNTIME_DIR: `${state}/run`,
        HOME: `${state}/home`,
        GIO_USE_VFS: 'gvfs',
        GVFS_DISABLE_FUSE: '1',
      };
      const args = ['--session', '--nofork', '--nopidfile', '--print-address=1'];
      const daemon = startBackground('dbus-daemon', args, { env: own });
      bus = await waitUntil('session bus', () => daemon.log().trim().split('\n')[0] ?? '');
      const env = { ...own, DBUS_SESSION_BUS_ADDRESS: bus };
      running.push(daemon, startBackground(`${GVFS}/gvfsd`, ['--no-fuse'], { env }));
      running.push(startBackground(`${GVFS}/gvfsd-fuse`, [mnt, '-f'], { env }));
      await waitUntil('gvfsd-fuse', () => mountsAt(mnt).length > 0);
      await run('gio', ['mount', url.replace(/^http/, 'dav')], { env, timeoutMs: 30_000 });
      return waitUntil('dav mount', async () => {
        const found = (await readdir(mnt)).find((name) => name.startsWith('dav'));
        return found === undefined ? '' : path.join(mnt, found);
      });
    },
    async unmount() {
      await run('fusermount3', ['-u', mnt], UNMOUNT);
      for (const each of running.splice(0).reverse()) await each.stop();
    },
    pids: () =>
      processes().filter((pid) => environmentOf(pid).includes(`DBUS_SESSION_BUS_ADDRESS=${bus}`)),
  };
}
