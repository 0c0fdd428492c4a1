/** An opener, and at the other end of its channel a peer that speaks in frames. */
import type { TestContext } from 'node:test';
import { createOpenerMux } from '../../../src/mux/mux.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { RawPeer } from '../../support/raw-peer.js';

export async function openerAndPeer(t: TestContext) {
  const ends = createMemoryChannelPair();
  const mux = createOpenerMux(ends.guest);
  t.after(() => Promise.all([mux.close(), ends.host.close()]));
  const peer = await RawPeer.open(ends.host);
  await peer.until(() => mux.connected);
  return { mux, peer, ...ends };
}
