import assert from 'node:assert/strict';
import type { ChannelSession, ChannelSink } from '../../../src/channel/channel.js';
import { VirtioPortChannel } from '../../../src/channel/virtio-port.js';
import { silentLogger } from '../../../src/log.js';
import { waitUntil } from '../../support/wait-until.js';
import { FakePort } from './virtio-fake-port.js';

export class Recorder implements ChannelSink {
  readonly chunks: Buffer[] = [];
  drains = 0;
  ends: (Error | undefined)[] = [];
  onChunk: (() => void) | undefined;

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  onData(chunk: Buffer): void {
    assert.equal(this.ends.length, 0, 'data after the end');
    this.chunks.push(chunk);
    this.onChunk?.();
  }

  onDrain(): void {
    this.drains += 1;
  }

  onClose(error?: Error): void {
    this.ends.push(error);
  }
}

export interface Opened {
  readonly port: FakePort;
  readonly channel: VirtioPortChannel;
  readonly sink: Recorder;
  readonly session: ChannelSession;
}

export function makeChannel(port: FakePort): VirtioPortChannel {
  return new VirtioPortChannel('virtio:test', '/dev/vport1p1', {
    binding: port.binding,
    log: silentLogger,
  });
}

export async function openPresent(): Promise<Opened> {
  const port = new FakePort();
  port.hostPresent = true;
  const channel = makeChannel(port);
  const sink = new Recorder();
  const session = await channel.open(sink, new AbortController().signal);
  return { port, channel, sink, session };
}

export const never = (): AbortSignal => new AbortController().signal;

export async function ended(sink: Recorder): Promise<Error | undefined> {
  await waitUntil('the end of the session', () => sink.ends.length > 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sink.ends.length, 1);
  return sink.ends[0];
}
