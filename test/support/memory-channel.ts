/**
 * Two channels joined in memory, as a unix socket joins two processes: a session starts when both ends have been opened
 * and the link is up. Delivery is asynchronous, in order, and back-pressure is that of a real channel.
 */
import type { Channel, ChannelSession, ChannelSink } from '../../src/channel/channel.js';

export interface MemoryChannelControls {
  /** The link goes down: the session ends at both ends, what is under way is lost; no new one until `connect()`. */
  disconnect(error?: Error): void;
  connect(): void;
  /** The session ends at both ends, what is under way is lost; a new one may follow at once. */
  cut(error?: Error): void;
  /** Bytes that arrive at this end as if the other end had sent them now. */
  inject(bytes: Uint8Array): void;
  /** Bytes that arrive at this end first thing in the next session (stale bytes of a real port). */
  injectAtOpen(bytes: Uint8Array): void;
  /** This end receives nothing until `unstall()`: its peer runs into back-pressure. */
  stall(): void;
  unstall(): void;
  /** The next `open()` at this end, or the one that waits now, rejects with `error`. */
  failOpen(error: Error): void;
  /** How arriving bytes are cut before this end sees them. */
  splitter: ((chunk: Buffer) => Buffer[]) | undefined;
  /** Sees every chunk before it is delivered to this end. */
  tap: ((chunk: Buffer) => void) | undefined;
  /** Number of sessions started. */
  readonly sessions: number;
  /** Bytes on their way to this end. */
  readonly pendingBytes: number;
}

const HIGH_WATER_MARK = 256 * 1024;

interface Waiter {
  readonly sink: ChannelSink;
  readonly resolve: (session: ChannelSession) => void;
  readonly reject: (reason: Error) => void;
}

class End implements Channel, MemoryChannelControls {
  readonly address: string;
  splitter: ((chunk: Buffer) => Buffer[]) | undefined;
  tap: ((chunk: Buffer) => void) | undefined;
  sessions = 0;
  peer!: End;
  linkUp = true;
  stalled = false;
  waiter: Waiter | undefined;
  session: EndSession | undefined;
  #failure: Error | undefined;
  #stale: Buffer[] = [];
  #closed = false;

  constructor(address: string) {
    this.address = address;
  }

  get pendingBytes(): number {
    return this.session?.inboundBytes ?? 0;
  }

  open(sink: ChannelSink, signal: AbortSignal): Promise<ChannelSession> {
    if (this.waiter !== undefined || this.session !== undefined) {
      return Promise.reject(new Error('open() during a session'));
    }
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.#closed) return Promise.reject(new Error('the channel is closed'));
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) return Promise.reject(failure);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.waiter = undefined;
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const settled = (): void => signal.removeEventListener('abort', onAbort);
      this.waiter = {
        sink,
        resolve: (session) => {
          settled();
          resolve(session);
        },
        reject: (reason) => {
          settled();
          reject(reason);
        },
      };
      meet(this, this.peer);
    });
  }

  start(): void {
    const { sink, resolve } = this.waiter!;
    this.waiter = undefined;
    this.sessions += 1;
    this.session = new EndSession(this, sink);
    for (const bytes of this.#stale) this.session.enqueue(bytes);
    this.#stale = [];
    resolve(this.session);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.cut();
    this.waiter?.reject(new Error('the channel was closed'));
    this.waiter = undefined;
    return Promise.resolve();
  }

  disconnect(error?: Error): void {
    this.linkUp = this.peer.linkUp = false;
    this.cut(error);
  }

  connect(): void {
    this.linkUp = this.peer.linkUp = true;
    meet(this, this.peer);
  }

  cut(error?: Error): void {
    this.session?.end(error);
    this.peer.session?.end(error);
  }

  inject(bytes: Uint8Array): void {
    if (this.session === undefined) throw new Error('inject() outside a session');
    this.session.enqueue(Buffer.from(bytes));
  }

  injectAtOpen(bytes: Uint8Array): void {
    this.#stale.push(Buffer.from(bytes));
  }

  stall(): void {
    this.stalled = true;
  }

  unstall(): void {
    this.stalled = false;
    this.session?.schedule();
  }

  failOpen(error: Error): void {
    if (this.waiter === undefined) {
      this.#failure = error;
    } else {
      this.waiter.reject(error);
      this.waiter = undefined;
    }
  }
}

class EndSession implements ChannelSession {
  inboundBytes = 0;
  readonly #end: End;
  readonly #sink: ChannelSink;
  #inbound: Buffer[] = [];
  #paused = false;
  #scheduled = false;
  #needDrain = false;
  #over = false;

  constructor(end: End, sink: ChannelSink) {
    this.#end = end;
    this.#sink = sink;
  }

  write(buffers: readonly Uint8Array[]): boolean {
    const target = this.#end.peer.session;
    if (this.#over || target === undefined) return true;
    for (const bytes of buffers) {
      target.enqueue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    }
    this.#needDrain = target.inboundBytes > HIGH_WATER_MARK;
    return !this.#needDrain;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.schedule();
  }

  /** One end's close is the end of the session for both, after what the other end still has to receive. */
  close(): void {
    const peer = this.#end.peer.session;
    this.end();
    peer?.endAfterDelivery();
  }

  enqueue(bytes: Buffer): void {
    this.#inbound.push(bytes);
    this.inboundBytes += bytes.length;
    this.schedule();
  }

  schedule(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  end(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#inbound = [];
    this.inboundBytes = 0;
    this.#end.session = undefined;
    setImmediate(() => this.#sink.onClose(error));
  }

  #lastBytes = false;
  endAfterDelivery(): void {
    this.#lastBytes = true;
    this.schedule();
  }

  #deliver(): void {
    const chunks = this.#inbound;
    let at = 0;
    while (at < chunks.length && !this.#held()) {
      const chunk = chunks[at]!;
      at += 1;
      this.inboundBytes -= chunk.length;
      this.#end.tap?.(chunk);
      for (const piece of this.#end.splitter?.(chunk) ?? [chunk]) {
        if (!this.#over && piece.length > 0) this.#sink.onData(piece);
      }
    }
    if (this.#over) return;
    chunks.splice(0, at);
    if (this.#held()) return;
    if (chunks.length > 0) this.schedule();
    else if (this.#lastBytes) this.end();
    else this.#end.peer.session?.drained();
  }

  #held(): boolean {
    return this.#over || this.#paused || this.#end.stalled;
  }

  drained(): void {
    if (!this.#needDrain || this.#over) return;
    this.#needDrain = false;
    this.#sink.onDrain();
  }
}

function meet(one: End, other: End): void {
  if (one.waiter === undefined || other.waiter === undefined || !one.linkUp) return;
  one.start();
  other.start();
}

export function createMemoryChannelPair(): {
  guest: Channel & MemoryChannelControls;
  host: Channel & MemoryChannelControls;
} {
  const guest = new End('memory:guest');
  const host = new End('memory:host');
  guest.peer = host;
  host.peer = guest;
  return { guest, host };
}
