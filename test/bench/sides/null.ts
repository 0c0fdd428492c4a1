/** The file system that does nothing. */
import { fileURLToPath } from 'node:url';
import { startBackground, type Background } from '../../support/background.js';
import { onCleanup } from '../../support/cleanup.js';
import { abortMounts, mountsAt } from '../../support/mountinfo.js';
import { run } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { residentOf } from '../processes.js';
import type { Side } from '../side.js';
import { work } from '../worker.js';
import type { Bridge } from './davport.js';

const SCRIPT = fileURLToPath(new URL('../null-mount.js', import.meta.url));

/** `keepMs`: how long the kernel may keep what it is told; what davport's default is. */
export async function nullSide(name: string, bridge: Bridge, keepMs: number): Promise<Side> {
  const dir = makeTempDir('davport-bench-null-');
  let server: Background | undefined;
  const unmount = async (): Promise<void> => {
    if (server === undefined) return;
    await run('umount', ['-l', dir], { accept: 'any' });
    await server.stop();
    server = undefined;
  };
  onCleanup({ run: unmount, runSync: () => abortMounts(dir) });
  const mount = async (): Promise<void> => {
    await unmount();
    const args = [SCRIPT, dir, bridge, String(keepMs)];
    const started = startBackground(process.execPath, args);
    server = started;
    await waitUntil('the null file system', () => {
      if (!started.running) throw new Error(started.log());
      return mountsAt(dir).length > 0;
    });
  };
  return {
    name,
    can: (row) => row.needsContent !== true,
    fresh: mount,
    measure: (row) => work({ name: row.name, dir }),
    memory: () => server && residentOf(server.pid),
    clear: async () => undefined,
    end: unmount,
  };
}
