/** What is measured side by side: davport on both bridges, the same bridges with a file system that does nothing, and a local folder. */
import { mkdirSync, writeFileSync, openSync, writeSync, closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL, fileURLToPath } from 'node:url';
import { startBackground } from '../support/background.js';
import { mountDavport } from '../support/mount.js';
import { mountsAt } from '../support/mountinfo.js';
import { startPeer, type PeerKind } from '../support/peers/index.js';
import { run } from '../support/run.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

export type Bridge = 'kernel' | 'fuse-native';

export interface Side {
  readonly name: string;
  readonly dir: string;
  /** Empties caches by mounting anew. */
  fresh(): Promise<void>;
  /** Requests so far, where they can be counted. */
  requests(): Promise<number | undefined>;
  /** Removes what the workloads made. */
  clear(): Promise<void>;
  end(): Promise<void>;
}

export function fill(dir: string): void {
  const block = new SeededRandom(1).bytes(1 << 20);
  const fd = openSync(`${dir}/big`, 'w');
  for (let i = 0; i < 256; i++) writeSync(fd, block);
  closeSync(fd);
  for (let i = 0; i < 50; i++) writeFileSync(`${dir}/file-${i}`, 'x');
  for (let folder = 0; folder < 100; folder++) {
    mkdirSync(`${dir}/tree/folder-${folder}`, { recursive: true });
    for (let file = 0; file < 100; file++) {
      writeFileSync(`${dir}/tree/folder-${folder}/file-${file}`, 'x');
    }
  }
}

const clear = (dir: string): Promise<void> =>
  run('rm', ['-rf', `${dir}/written`, `${dir}/small`]).then(() => undefined);

export async function localSide(): Promise<Side> {
  const dir = makeTempDir('davport-bench-');
  fill(dir);
  return {
    name: 'local folder',
    dir,
    fresh: async () => undefined,
    requests: async () => undefined,
    clear: () => clear(dir),
    end: async () => undefined,
  };
}

export async function nullSide(bridge: Bridge): Promise<Side> {
  const dir = makeTempDir('davport-bench-');
  const script = fileURLToPath(new URL('null-mount.ts', import.meta.url));
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const server = startBackground(process.execPath, ['--import', tsx, script, dir, bridge]);
  await waitUntil('the null file system', () => {
    if (!server.running) throw new Error(server.log());
    return mountsAt(dir).length > 0;
  });
  return {
    name: `null, ${bridge}`,
    dir,
    fresh: async () => undefined,
    requests: async () => undefined,
    clear: async () => undefined,
    async end() {
      await run('umount', ['-l', dir]);
      await server.stop();
    },
  };
}

export async function davportSide(kind: PeerKind, bridge: Bridge, served: string): Promise<Side> {
  const peer = await startPeer(kind, served);
  const mount = await mountDavport({ channel: peer.channel, bridge, options: ['timeout=120'] });
  return {
    name: `${kind}, ${bridge}`,
    dir: mount.dir,
    fresh: () => mount.remount(),
    requests: async () => (await peer.requests())?.length,
    clear: () => clear(served),
    async end() {
      await mount.discard();
      await peer.stop();
    },
  };
}
