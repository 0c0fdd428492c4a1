/** Any frames before a share: no crash, and a good request is answered, in the same session where the frames were whole. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { createAcceptorMux } from '../../src/mux/mux.js';
import { createMemoryChannelPair } from '../support/memory-channel.js';
import { checkAsyncProperty } from '../support/property.js';
import { encodeFrame, RawPeer } from '../support/raw-peer.js';
import { waitUntil } from '../support/wait-until.js';
import { startShare } from '../unit/share/fixture.js';
import { encodeRequest, fuzzRequest } from './arbitrary-requests.js';

const BUDGET_MS = 8000;
const GOOD = 'PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nDepth: 0\r\n\r\n';

const payload = fc.oneof(
  fc.tuple(fuzzRequest, fc.double({ min: 0, max: 1, noNaN: true })).map(([request, part]) => {
    const bytes = encodeRequest(request);
    return bytes.subarray(0, Math.min(65_535, Math.ceil(part * bytes.length)));
  }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(Buffer.alloc(0)),
  fc.constant(Buffer.from('PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n')),
  fc.constant(Buffer.alloc(65_535, 'z')),
);
/** Few, so that they meet; of both kinds of openers. */
const id = fc.constantFrom(1n, 2n, -1n, -128n, 0n, 1n << 33n, (1n << 33n) + 1n, -(1n << 62n));
const frames = fc.array(fc.tuple(id, payload), { maxLength: 40 });

async function open(t: Awaited<ReturnType<typeof startShare>>) {
  const { guest, host } = createMemoryChannelPair();
  const mux = createAcceptorMux(host, {
    onStream: (stream) => t.share.attach(stream),
    maxStreams: 64,
    maxUnreadBytes: 200_000,
    stallTimeoutMs: 200,
    evictAfterMs: 100,
  });
  return { mux, guest, host, peer: await RawPeer.open(guest) };
}

async function answered(peer: RawPeer, goodId: bigint): Promise<void> {
  peer.send(goodId, GOOD);
  await peer.until(() => peer.payload(goodId).startsWith('HTTP/1.1 207 '), 'the good request');
}

test('whole frames of any content, in any order', { timeout: 60_000 }, async (context) => {
  const t = await startShare({ headTimeoutMs: 1000, stallTimeoutMs: 1000 });
  fs.mkdirSync(t.at('d'));
  const { mux, guest, peer } = await open(t);
  let next = 1n << 40n;
  const property = fc.asyncProperty(frames, async (list) => {
    for (const [of, bytes] of list) peer.send(of, bytes);
    await answered(peer, next++);
    assert.ok(mux.stats.openStreams <= 64);
    assert.equal(mux.stats.sessions, 1);
    peer.frames.length = 0;
  });
  await checkAsyncProperty(context, property, BUDGET_MS);
  await Promise.all([mux.close(), guest.close()]);
  await waitUntil('all requests to end', () => t.share.stats.active === 0);
});

test(
  'frames cut anywhere, with bytes between them that are none; then a new session',
  { timeout: 60_000 },
  async (context) => {
    const t = await startShare({ headTimeoutMs: 1000, stallTimeoutMs: 1000 });
    const property = fc.asyncProperty(
      frames,
      fc.array(fc.tuple(fc.nat(100_000), fc.uint8Array({ maxLength: 30 })), { maxLength: 4 }),
      async (list, noise) => {
        const { mux, guest, host, peer } = await open(t);
        let bytes = Buffer.concat(list.map(([of, content]) => encodeFrame(of, content)));
        for (const [place, extra] of noise) {
          const at = bytes.length === 0 ? 0 : place % bytes.length;
          bytes = Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
        }
        host.inject(bytes);
        guest.cut();
        await peer.until(() => peer.closed, 'the end of the session');
        await answered(await RawPeer.open(guest), 5n);
        await Promise.all([mux.close(), guest.close()]);
      },
    );
    await checkAsyncProperty(context, property, BUDGET_MS);
    await waitUntil('all requests to end', () => t.share.stats.active === 0);
  },
);
