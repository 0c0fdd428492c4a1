import type { ChannelSession, ChannelSink } from '../channel/channel.js';
import type { Logger } from '../log.js';
import type { MuxCounters } from './counters.js';
import type { FrameSink } from './decoder.js';
import { FrameDecoder } from './decoder.js';
import { IdTable } from './id-table.js';
import type { DuplexMuxStream, StreamOwner } from './mux-stream.js';
import { FrameScheduler } from './scheduler.js';
import { StreamResetError } from './types.js';

export interface SessionContext {
  readonly counters: MuxCounters;
  readonly log: Logger;
}

/**
 * One channel session: routes frames to streams and streams' frames to the channel. What the two roles do with a frame of an
 * unknown id, and with bytes that are no frames, is theirs.
 *
 * INVARIANT: `ids` has the streams that frames may still arrive for; `streams` has those that aren't destroyed, and contains them;
 * `liveCount` is the number of those that aren't parked, which is between two ids.
 */
export abstract class MuxSession implements ChannelSink, FrameSink, StreamOwner {
  protected readonly counters: MuxCounters;
  protected readonly log: Logger;
  protected readonly ids = new IdTable<DuplexMuxStream>();
  protected readonly streams = new Set<DuplexMuxStream>();
  protected liveCount = 0;
  protected readonly scheduler: FrameScheduler;
  protected channelSession: ChannelSession | undefined;
  protected decoder = new FrameDecoder(this);
  /** The stream that the payload being decoded belongs to; undefined: it is skipped. */
  protected current: DuplexMuxStream | undefined;
  /** It was ended because what the peer sends is no channel: coming back soon would only mean more of it. */
  sentJunk = false;
  /** Resolves when the channel has ended the session. */
  readonly closed: Promise<Error | undefined>;
  #resolveClosed!: (error: Error | undefined) => void;
  #ending: Error | undefined;

  constructor(context: SessionContext) {
    this.counters = context.counters;
    this.log = context.log;
    this.scheduler = new FrameScheduler(
      (buffers) => this.channelSession?.write(buffers) ?? true,
      this.counters,
    );
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  /** Called when the channel's `open` has resolved, before it calls the sink. */
  start(channelSession: ChannelSession): void {
    this.channelSession = channelSession;
  }

  get keepsNothing(): boolean {
    return this.channelSession?.keepsNothing === true;
  }

  /** Ends the session from this side; `closed` resolves when the channel has confirmed it. Idempotent. */
  end(reason: Error): void {
    if (this.#ending !== undefined) return;
    this.#shutDown(reason);
    this.channelSession?.close();
  }

  get ended(): boolean {
    return this.#ending !== undefined;
  }

  // ---- ChannelSink ----

  onData(chunk: Buffer): void {
    if (this.ended) return;
    this.counters.bytesIn += chunk.length;
    this.decode(chunk);
  }

  onDrain(): void {
    if (!this.ended) this.scheduler.onDrain();
  }

  onClose(error?: Error): void {
    if (!this.ended) this.#shutDown(error ?? new Error('the other side closed the channel'));
    this.#resolveClosed(error);
  }

  #shutDown(reason: Error): void {
    this.#ending = reason;
    this.decoder.stop();
    this.scheduler.stop();
    this.onShutDown();
    for (const stream of [...this.streams]) {
      stream.destroy(
        new StreamResetError(`the channel session ended: ${reason.message}`, { cause: reason }),
      );
    }
  }

  protected onShutDown(): void {
    this.current = undefined;
  }

  // ---- FrameSink ----

  protected abstract decode(chunk: Buffer): void;

  abstract onHeader(high: number, low: number, size: number): boolean;

  onPayload(piece: Buffer): void {
    const stream = this.current;
    if (stream === undefined) return;
    stream.receive(piece);
    this.onReceived(stream);
  }

  /** `stream.unreadBytes` may have grown. */
  protected abstract onReceived(stream: DuplexMuxStream): void;

  /** A frame of a stream that is known. */
  protected routeFrame(stream: DuplexMuxStream, size: number): void {
    this.counters.framesIn += 1;
    if (size > 0) {
      this.current = stream;
      return;
    }
    this.endedByPeer(stream);
  }

  protected endedByPeer(stream: DuplexMuxStream): void {
    this.current = undefined;
    this.ids.delete(stream.high, stream.low, stream);
    this.scheduler.remove(stream);
    stream.receiveEnd();
  }

  protected adopt(stream: DuplexMuxStream): void {
    this.ids.set(stream.high, stream.low, stream);
    this.streams.add(stream);
    this.counters.openStreams = this.liveCount += 1;
  }

  // ---- StreamOwner ----

  onSendable(stream: DuplexMuxStream): void {
    this.scheduler.add(stream);
  }

  abstract onRead(stream: DuplexMuxStream): void;

  onEnded(stream: DuplexMuxStream): void {
    this.ids.delete(stream.high, stream.low, stream);
    if (this.current === stream) this.current = undefined;
  }

  onParked(stream: DuplexMuxStream, sendEnd: boolean): void {
    this.letGo(stream);
    if (sendEnd) this.scheduler.sendEndLater(stream.high, stream.low);
  }

  /** Whoever takes up the ids of the other side has none to give. */
  onUnparked(_stream: DuplexMuxStream): boolean {
    return false;
  }

  onReleased(stream: DuplexMuxStream, sendEnd: boolean): void {
    this.streams.delete(stream);
    if (stream.parked) return;
    this.letGo(stream);
    if (sendEnd && !this.ended) this.scheduler.sendEnd(stream.high, stream.low);
  }

  /** The stream has done with its id. */
  protected letGo(stream: DuplexMuxStream): void {
    this.counters.openStreams = this.liveCount -= 1;
    this.scheduler.remove(stream);
    this.onEnded(stream);
  }
}
