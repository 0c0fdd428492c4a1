import { Duplex } from 'node:stream';
import { toClientId } from './frame.js';
import { PieceQueue } from './piece-queue.js';
import type { FrameSource } from './scheduler.js';
import type { MuxStream, StreamKeeper } from './types.js';
import { StreamResetError } from './types.js';

/** The session's side of a stream. */
export interface StreamOwner {
  /** What was handed on has left. */
  readonly keepsNothing: boolean;
  /** The stream has frames to send. */
  onSendable(stream: DuplexMuxStream): void;
  /** The consumer has taken bytes, or the stream is gone: `unreadBytes` is smaller than it was. */
  onRead(stream: DuplexMuxStream): void;
  /** The end-of-stream frame has been handed to the channel by `end()`: the id is free. */
  onEnded(stream: DuplexMuxStream): void;
  /** The stream was destroyed; called once. `sendEnd`: the peer has to be told. */
  onReleased(stream: DuplexMuxStream, sendEnd: boolean): void;
  /** The stream has done with its id and may get another one. `sendEnd`: the peer has to be told. */
  onParked(stream: DuplexMuxStream, sendEnd: boolean): void;
  /** Gives a parked stream a fresh id. False: there are none any more. */
  onUnparked(stream: DuplexMuxStream): boolean;
}

export interface StreamOptions {
  readonly high: number;
  readonly low: number;
  readonly metadata: boolean;
  /** An opener's `end()` sends nothing: peers take a half-close for a disconnection and drop the response. */
  readonly endSendsFrame: boolean;
  readonly maxUnreadBytes: number;
}

const WRITE_HIGH_WATER_MARK = 256 * 1024;

const nothing = (): void => undefined;

/**
 * One logical connection.
 *
 *     open ──size 0 in──► peerEnded ──'end' read──► closed
 *     open ──end() of an acceptor──► size 0 out ──► closed
 *     any  ──destroy()──► size 0 out, where the peer knows the id and hasn't ended it ──► closed
 *     open, peerEnded ──park() of an opener──► size 0 out, likewise ──► parked ──write──► open, on a fresh id
 *     open ──parkAtEnd() of an acceptor, size 0 in──► parked ──takeUp()──► open, on a new id of the peer
 *
 * After the peer's end nothing more is sent: the peer has forgotten the id, and spice-gtk would take further bytes for a new
 * request. Writes then wait until the consumer has read what came before the end, because that is the answer it wants, and fail.
 *
 * A stream that nobody listens to for 'error' may fail without ending the process.
 */
export class DuplexMuxStream extends Duplex implements MuxStream, FrameSource {
  high: number;
  low: number;
  metadata: boolean;
  readonly maxUnreadBytes: number;
  readonly #owner: StreamOwner;
  readonly #endSendsFrame: boolean;
  readonly #incoming = new PieceQueue();
  /** Readable has asked for the next piece. */
  #wanted = false;
  /** Inside `read()`: a piece pushed now would be joined to the one that is being taken. */
  #reading = false;
  #peerEnded = false;
  #endSent = false;
  #endRead = false;
  /** Readable was told of the peer's end. */
  #endPassedOn = false;
  #parked = false;
  /** Of a stream that is to be parked when the peer ends its id now. */
  #keeper: StreamKeeper | undefined;
  #outgoing: Uint8Array[] = [];
  #outgoingBytes = 0;
  #endQueued = false;
  #onHanded: ((error?: Error | null) => void) | undefined;
  #bytesSent = 0;
  #hasReceived = false;
  #activeAtMs = performance.now();

  constructor(owner: StreamOwner, options: StreamOptions) {
    super({
      // One piece at a time: `read()` without a size would join what is buffered.
      readableHighWaterMark: 1,
      writableHighWaterMark: WRITE_HIGH_WATER_MARK,
      decodeStrings: true,
      allowHalfOpen: false,
    });
    this.high = options.high;
    this.low = options.low;
    this.metadata = options.metadata;
    this.maxUnreadBytes = options.maxUnreadBytes;
    this.#endSendsFrame = options.endSendsFrame;
    this.#owner = owner;
    this.on('error', nothing);
    this.once('end', () => this.#onEndRead());
  }

  set priority(priority: 'metadata' | 'bulk') {
    if (this.#parked) this.metadata = priority === 'metadata';
  }

  get clientId(): bigint {
    return toClientId(this.high, this.low);
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  get keepsNothing(): boolean {
    return this.#owner.keepsNothing;
  }

  /** What a consumer that doesn't read costs in memory. */
  get unreadBytes(): number {
    return this.#incoming.cost + this.readableLength;
  }

  /** Since when no byte has passed (performance.now()). */
  get activeAtMs(): number {
    return this.#activeAtMs;
  }

  /** Between two ids. */
  get parked(): boolean {
    return this.#parked;
  }

  /** Whether any payload has arrived. */
  get hasReceived(): boolean {
    return this.#hasReceived;
  }

  // ---- From the peer ----

  receive(piece: Buffer): void {
    if (this.destroyed || this.#peerEnded) return;
    this.#keeper = undefined;
    this.#hasReceived = true;
    this.#activeAtMs = performance.now();
    if (this.#wanted && this.#incoming.empty) this.#wanted = this.push(piece);
    else this.#incoming.add(piece);
  }

  /** The peer's end-of-stream frame. */
  receiveEnd(): void {
    if (this.destroyed || this.#peerEnded) return;
    this.#peerEnded = true;
    this.#dropOutgoing();
    if (this.#keeper !== undefined && this.#atRest) {
      this.#owner.onParked(this, false);
      this.#parked = true;
      this.#keeper.onParked();
    } else if (this.#wanted) {
      this.#deliver();
    }
  }

  override _read(): void {
    this.#wanted = true;
    if (!this.#reading) this.#deliver();
  }

  override read(size?: number): unknown {
    this.#reading = true;
    const chunk: unknown = super.read(size);
    this.#reading = false;
    if (this.#wanted && !this.destroyed) {
      if (!this.#incoming.empty) this.#deliver();
      // push(null) emits 'readable' at once, and its listener would read past the chunk that is returned here.
      else if (this.#peerEnded) process.nextTick(() => this.#deliver());
    }
    if (chunk !== null) this.#owner.onRead(this);
    return chunk;
  }

  #deliver(): void {
    let taken = false;
    while (this.#wanted && !this.destroyed && !this.#incoming.empty) {
      this.#wanted = this.push(this.#incoming.take());
      taken = true;
    }
    if (taken) this.#owner.onRead(this);
    if (this.#wanted && !this.destroyed && this.#peerEnded && !this.#parked) {
      this.#wanted = false;
      this.#endPassedOn = true;
      this.push(null);
    }
  }

  #onEndRead(): void {
    this.#endRead = true;
    if (this.#onHanded === undefined) return;
    // A moment later, so that the consumer takes the end for what it is.
    setImmediate(() => this.destroy(this.#endedByPeer()));
  }

  #endedByPeer(): Error {
    return new StreamResetError('the peer ended the stream before all was sent');
  }

  // ---- To the peer ----

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#send([chunk], callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    const buffers = chunks.map(({ chunk }) => chunk);
    this.#send(buffers, callback);
  }

  #send(buffers: Uint8Array[], callback: (error?: Error | null) => void): void {
    if (this.#peerEnded && this.#endRead) {
      callback(this.#endedByPeer());
      return;
    }
    if (this.#parked && !this.#unpark()) {
      callback(new StreamResetError('the channel session has no more ids'));
      return;
    }
    this.#onHanded = callback;
    if (this.#peerEnded) return;
    this.#outgoing = buffers;
    this.#outgoingBytes = 0;
    for (const bytes of buffers) this.#outgoingBytes += bytes.length;
    if (this.#outgoingBytes === 0) this.onHanded();
    else this.#owner.onSendable(this);
  }

  /** Nothing is unsent, unread or over. */
  get #atRest(): boolean {
    const busy = this.#onHanded !== undefined || this.writableLength > 0;
    const unread = !this.#incoming.empty || this.readableLength > 0;
    return this.writable && !this.#endPassedOn && !busy && !unread;
  }

  park(): boolean {
    if (this.#endSendsFrame || !this.#atRest) return false;
    if (this.#parked) return true;
    this.#owner.onParked(this, this.#bytesSent > 0 && !this.#peerEnded);
    this.#parked = true;
    this.#forgetId();
    return true;
  }

  #unpark(): boolean {
    if (!this.#owner.onUnparked(this)) return false;
    this.#parked = false;
    return true;
  }

  parkAtEnd(keeper: StreamKeeper): void {
    if (!this.#peerEnded && this.#atRest) this.#keeper = keeper;
  }

  /**
   * A parked stream of an acceptor becomes that of a new id. False: it can't, and is of no more use. Until then it is ended by its peer
   * as to whoever would write, so that nothing goes out on an id that may be another stream's by now.
   */
  takeUp(high: number, low: number): boolean {
    if (!this.#atRest || this.#keeper?.onTakenUp() !== true) return false;
    this.#keeper = undefined;
    this.#parked = false;
    this.high = high;
    this.low = low;
    this.#activeAtMs = performance.now();
    this.#forgetId();
    return true;
  }

  #forgetId(): void {
    this.#peerEnded = false;
    this.#hasReceived = false;
    this.#bytesSent = 0;
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (!this.#endSendsFrame || this.#peerEnded) {
      callback();
      return;
    }
    this.#onHanded = callback;
    this.#endQueued = true;
    this.#owner.onSendable(this);
  }

  get hasMore(): boolean {
    return this.#outgoingBytes > 0 || this.#endQueued;
  }

  takePayload(limit: number, out: Uint8Array[]): number | undefined {
    if (this.#outgoingBytes === 0) {
      if (!this.#endQueued) return undefined;
      this.#endQueued = false;
      this.#endSent = true;
      return 0;
    }
    let left = Math.min(limit, this.#outgoingBytes);
    const size = left;
    while (left > 0) {
      const bytes = this.#outgoing[0]!;
      if (bytes.length <= left) {
        this.#outgoing.shift();
        if (bytes.length > 0) out.push(bytes);
        left -= bytes.length;
      } else {
        out.push(bytes.subarray(0, left));
        this.#outgoing[0] = bytes.subarray(left);
        left = 0;
      }
    }
    this.#outgoingBytes -= size;
    this.#bytesSent += size;
    this.#activeAtMs = performance.now();
    return size;
  }

  onHanded(): void {
    const callback = this.#onHanded;
    this.#onHanded = undefined;
    callback?.();
    if (!this.#endSent || this.destroyed) return;
    this.#owner.onEnded(this);
    // Both directions are over. Destroyed a moment later, so that 'finish' comes first.
    setImmediate(() => this.destroy());
  }

  #dropOutgoing(): void {
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    if (this.#endQueued) {
      this.#endQueued = false;
      this.onHanded();
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const peerKnows = this.#endSendsFrame || this.#bytesSent > 0;
    this.#dropOutgoing();
    this.#incoming.clear();
    const onHanded = this.#onHanded;
    this.#onHanded = undefined;
    onHanded?.(error ?? new StreamResetError('the stream was destroyed'));
    this.#owner.onReleased(this, peerKnows && !this.#peerEnded && !this.#endSent);
    callback(error);
  }
}
