import { mountDavport } from '../../support/mount.js';
import { residentOf } from '../processes.js';
import type { Server } from '../servers.js';
import type { Side } from '../side.js';
import { mountedSide } from './mounted.js';

export type Bridge = 'kernel' | 'fuse-native';

/** `options`: of the mount, beside those of the bench. */
export async function davportSide(
  name: string,
  server: Server,
  served: string,
  bridge: Bridge,
  options: readonly string[],
): Promise<Side> {
  const mount = await mountDavport({
    channel: server.channel,
    bridge,
    options: ['timeout=120', ...options],
  });
  return mountedSide({
    name,
    dir: () => mount.dir,
    served,
    server,
    remount: () => mount.remount(),
    memory: () => residentOf(mount.pid),
    end: () => mount.discard(),
  });
}
