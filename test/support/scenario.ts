/** One test per peer: starts the peer, mounts it, runs the body, unmounts in good order, and tells davport's log where it failed. */
import { test, type TestContext } from 'node:test';
import { controlMount, plainFolder, selectedVia } from './control-mounts.js';
import { mountDavport, type Mount } from './mount.js';
import { selectedPeers, startPeer, type Peer, type PeerKind } from './peers/index.js';
import { makeTempDir } from './temp-dir.js';

export interface Scene {
  readonly t: TestContext;
  readonly peer: Peer;
  readonly mount: Mount;
  /** Of the mount. Only child processes go there. */
  readonly dir: string;
}

export interface ScenarioOptions {
  readonly timeoutMs: number;
  /** Default: all. */
  readonly peers?: readonly PeerKind[];
  readonly options?: readonly string[];
  readonly bridge?: 'kernel' | 'fuse-native';
  /** Fills the served folder before the peer starts. */
  readonly prepare?: (served: string) => Promise<void> | void;
}

const TAIL = 6000;

export function scenario(
  name: string,
  options: ScenarioOptions,
  body: (scene: Scene) => Promise<void>,
): void {
  if (selectedVia() === 'folder') {
    if (options.peers !== undefined) return;
    test(`${name} [folder]`, { timeout: options.timeoutMs }, async (t) => {
      const peer = folderPeer(makeTempDir('davport-served-'));
      await options.prepare?.(peer.dir);
      await body({ t, peer, mount: plainFolder(peer.dir), dir: peer.dir });
    });
    return;
  }
  for (const kind of selectedPeers()) {
    if (options.peers !== undefined && !options.peers.includes(kind)) continue;
    test(`${name} [${kind}]`, { timeout: options.timeoutMs }, (t) => play(kind, options, body, t));
  }
}

async function play(
  kind: PeerKind,
  options: ScenarioOptions,
  body: (scene: Scene) => Promise<void>,
  t: TestContext,
): Promise<void> {
  const served = makeTempDir('davport-served-');
  await options.prepare?.(served);
  const peer = await startPeer(kind, served);
  try {
    const mount = await mountPeer(peer, options);
    try {
      const started = performance.now();
      await body({ t, peer, mount, dir: mount.dir });
      t.diagnostic(`${Math.round(performance.now() - started)} ms`);
      await mount.unmount();
    } catch (error) {
      t.diagnostic(`log of the mount:\n${mount.log().slice(-TAIL)}`);
      t.diagnostic(`log of the peer:\n${peer.log().slice(-TAIL / 3)}`);
      await mount.discard();
      throw error;
    }
  } finally {
    await peer.stop();
  }
}

export function mountPeer(
  peer: Peer,
  options: Pick<ScenarioOptions, 'options' | 'bridge'> = {},
): Promise<Mount> {
  const via = selectedVia();
  if (via === 'rclone' || via === 'davfs2') return controlMount(via, peer.channel);
  return mountDavport({
    channel: peer.channel,
    ...(options.options && { options: options.options }),
    ...(options.bridge && { bridge: options.bridge }),
  });
}

function folderPeer(dir: string): Peer {
  const nothing = async (): Promise<void> => undefined;
  return {
    kind: 'folder',
    channel: dir,
    dir,
    stop: nothing,
    kill: nothing,
    restart: nothing,
    log: () => '',
    adopt: nothing,
    requests: async () => undefined,
  };
}
