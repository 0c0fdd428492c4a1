/** What the model and the crash test work on: a mount of a peer over a wire that can be cut, and a local folder beside it. */
import { accessSync, constants } from 'node:fs';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Mount } from '../support/mount.js';
import { startPeer, type Peer, type PeerKind } from '../support/peers/index.js';
import { startRelay, type Relay } from '../support/relay.js';
import { mountPeer } from '../support/scenario.js';
import { makeTempDir } from '../support/temp-dir.js';

export const PROGRAMS = fileURLToPath(new URL('program/', import.meta.url));

export interface Sides {
  readonly peer: Peer;
  readonly relay: Relay;
  readonly mount: Mount;
  readonly local: string;
}

export interface SidesOptions {
  readonly bridge?: 'kernel' | 'fuse-native';
  readonly options?: readonly string[];
}

const LOG_TAIL = 4000;

/** In memory where that is possible: a local disk's fsync would take most of the time. */
function makeFolder(name: string): string {
  const before = process.env['TMPDIR'];
  try {
    accessSync('/dev/shm', constants.W_OK);
    process.env['TMPDIR'] = '/dev/shm';
    return makeTempDir(name);
  } catch {
    return makeTempDir(name);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}

export async function withSides(
  t: TestContext,
  kind: PeerKind,
  options: SidesOptions,
  body: (sides: Sides) => Promise<void>,
): Promise<void> {
  const peer = await startPeer(kind, makeFolder('davport-served-'));
  const relay = await startRelay(peer.channel);
  const mount = await mountPeer(
    { ...peer, channel: relay.channel },
    { options: ['timeout=20', ...(options.options ?? [])], bridge: options.bridge ?? 'kernel' },
  );
  try {
    await body({ peer, relay, mount, local: makeFolder('davport-local-') });
    await mount.unmount();
  } catch (error) {
    t.diagnostic(`log of the mount:\n${mount.log().slice(-LOG_TAIL)}`);
    t.diagnostic(`log of the peer:\n${peer.log().slice(-LOG_TAIL / 4)}`);
    throw error;
  } finally {
    await mount.discard();
    await relay.close();
    await peer.stop();
  }
}
