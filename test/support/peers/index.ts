import { makeTempDir } from '../temp-dir.js';
import { startApache } from './apache.js';
import { startChezdav } from './chezdav.js';
import { startShare } from './share.js';
import { startSpice } from './spice.js';
import { PEER_KINDS, type Peer, type PeerKind } from './types.js';

export { PEER_KINDS, type Peer, type PeerKind } from './types.js';

/** Starts a peer that serves `dir` (default: a new empty folder). */
export function startPeer(kind: PeerKind, dir = makeTempDir('davport-served-')): Promise<Peer> {
  switch (kind) {
    case 'share':
      return startShare(dir);
    case 'spice':
      return startSpice(dir);
    case 'chezdav':
      return startChezdav(dir);
    case 'apache':
      return startApache(dir);
  }
}

/** The peers to test with: all, or those that TEST_PEERS names ("share,apache"). */
export function selectedPeers(): readonly PeerKind[] {
  const names = process.env['TEST_PEERS']?.split(',');
  if (names === undefined) return PEER_KINDS;
  const unknown = names.filter((name) => !PEER_KINDS.some((kind) => kind === name));
  if (unknown.length > 0) throw new Error(`TEST_PEERS: no such peer: ${unknown.join(', ')}`);
  return PEER_KINDS.filter((kind) => names.includes(kind));
}
