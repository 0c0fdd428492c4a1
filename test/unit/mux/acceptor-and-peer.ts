/** An acceptor, and at the other end of its channel a peer that speaks in frames. */
import type { TestContext } from 'node:test';
import { createAcceptorMux, type AcceptorMuxOptions } from '../../../src/mux/mux.js';
import type { MuxStream } from '../../../src/mux/types.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { RawPeer } from '../../support/raw-peer.js';

export async function acceptorAndPeer(
  t: TestContext,
  onStream: (stream: MuxStream) => void,
  options: Partial<AcceptorMuxOptions> = {},
) {
  const ends = createMemoryChannelPair();
  const streams: MuxStream[] = [];
  const mux = createAcceptorMux(ends.host, {
    ...options,
    onStream: (stream) => {
      streams.push(stream);
      onStream(stream);
    },
  });
  t.after(() => Promise.all([mux.close(), ends.guest.close()]));
  const peer = await RawPeer.open(ends.guest);
  await peer.until(() => mux.connected);
  return { mux, peer, streams, ...ends };
}
