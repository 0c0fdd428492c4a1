/** The other end of a mux as bytes: what spice-gtk or spice-webdavd might send, and what they would get to see. */
import assert from 'node:assert/strict';
import type { Channel, ChannelSession, ChannelSink } from '../../src/channel/channel.js';
import { FEWEST_LOOKS } from './wait-until.js';

export interface RawFrame {
  readonly id: bigint;
  readonly payload: Buffer;
}

export function encodeFrame(id: bigint, payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload as Uint8Array);
  const frame = Buffer.alloc(10 + bytes.length);
  frame.writeBigInt64LE(BigInt.asIntN(64, id), 0);
  frame.writeUInt16LE(bytes.length, 8);
  bytes.copy(frame, 10);
  return frame;
}

/** The slow and obvious way: all bytes at once. Returns whole frames and what is left over. */
export function decodeFrames(bytes: Buffer): { frames: RawFrame[]; rest: Buffer } {
  const frames: RawFrame[] = [];
  for (;;) {
    if (bytes.length < 10) return { frames, rest: bytes };
    const end = 10 + bytes.readUInt16LE(8);
    if (bytes.length < end) return { frames, rest: bytes };
    frames.push({ id: bytes.readBigInt64LE(0), payload: bytes.subarray(10, end) });
    bytes = bytes.subarray(end);
  }
}

export class RawPeer implements ChannelSink {
  readonly frames: RawFrame[] = [];
  closed = false;
  session!: ChannelSession;
  #rest: Buffer = Buffer.alloc(0);
  #wake: (() => void)[] = [];

  static async open(channel: Channel): Promise<RawPeer> {
    const peer = new RawPeer();
    peer.session = await channel.open(peer, new AbortController().signal);
    return peer;
  }

  send(id: bigint, payload: string | Uint8Array): void {
    this.session.write([encodeFrame(id, payload)]);
  }

  end(id: bigint): void {
    this.send(id, '');
  }

  onData(chunk: Buffer): void {
    const { frames, rest } = decodeFrames(Buffer.concat([this.#rest, chunk]));
    this.#rest = rest;
    this.frames.push(...frames);
    this.#changed();
  }

  onDrain(): void {
    this.#changed();
  }

  onClose(): void {
    this.closed = true;
    this.#changed();
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** All payload that has come for an id. */
  payload(id: bigint): string {
    const own = this.frames.filter((frame) => frame.id === id);
    return Buffer.concat(own.map((frame) => frame.payload)).toString('latin1');
  }

  ends(id: bigint): number {
    return this.frames.filter((frame) => frame.id === id && frame.payload.length === 0).length;
  }

  /** Waits until `condition` holds, looking after each event and now and then. */
  async until(condition: () => boolean, what = 'a condition'): Promise<void> {
    const deadline = performance.now() + 10_000;
    for (let looks = 0; !condition(); looks += 1) {
      const isOver = performance.now() > deadline && looks >= FEWEST_LOOKS;
      assert.ok(!isOver, `waited ten seconds for ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
}

/** Lets everything happen that is already under way: some turns of the event loop. */
export async function settle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}
