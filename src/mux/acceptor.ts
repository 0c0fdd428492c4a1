import { toClientId } from './frame.js';
import { DuplexMuxStream } from './mux-stream.js';
import { portOfRequest } from './request-head.js';
import type { SessionContext } from './session.js';
import { MuxSession } from './session.js';
import type { MuxStream } from './types.js';
import { StreamResetError } from './types.js';

export interface AcceptorOptions {
  /**
   * Called for each new stream, before its first bytes are delivered. Owns the stream from now on. Not for an id that gets a parked
   * stream, whose `StreamKeeper` is asked instead.
   */
  readonly onStream: (stream: MuxStream) => void;
  /** Streams at a time; further ones are ended at once, unless an old one is idle. */
  readonly maxStreams: number;
  /** Unread bytes of one stream at which the channel is no longer read. */
  readonly maxUnreadBytes: number;
  /** The same for all streams together. */
  readonly maxSessionUnreadBytes: number;
  /** How long a stream that nobody reads may hold up the channel before it is reset. */
  readonly stallTimeoutMs: number;
  /** When streams run out, one that was idle for this long makes room. */
  readonly evictAfterMs: number;
}

interface Stall {
  /** Ends the stream. */
  readonly timer: NodeJS.Timeout;
  /** With no more unread bytes than these it holds up nothing. */
  readonly resumeAtBytes: number;
}

/** Streams that wait for a new id; as many as an opener has requests at a time, and some. */
const MAX_PARKED = 32;

/** Ids remembered after their end. Late frames of more ids than this aren't told from new requests. */
const MAX_SPENT_IDS = 4096;

/**
 * The side that takes up ids and answers on them. There is no flow control per id, so a stream whose consumer is slower than the
 * channel holds up the whole channel, but not for ever.
 */
export class AcceptorSession extends MuxSession {
  readonly #options: AcceptorOptions;
  /** Streams that hold up the channel until somebody reads. Not empty: the channel is paused. */
  readonly #stalled = new Map<DuplexMuxStream, Stall>();
  /** INVARIANT: #unreadBytes is the sum of #unread, which has what each stream had when it last received or was read, but 0. */
  readonly #unread = new Map<DuplexMuxStream, number>();
  #unreadBytes = 0;
  #full = false;
  /** Destroyed ones may be among them. */
  readonly #parked: DuplexMuxStream[] = [];
  readonly #spent = new Set<bigint>();
  /** The port that the first request of a stream names, where its id may come back at once. */
  readonly #ports = new WeakMap<DuplexMuxStream, string>();
  /** The next piece is the first of a frame on such an id. */
  #frameBegins = false;

  constructor(context: SessionContext, options: AcceptorOptions) {
    super(context);
    this.#options = options;
  }

  /** Every header is taken at its word: an acceptor has nothing to tell a wrong one by. */
  protected override decode(chunk: Buffer): void {
    this.decoder.decode(chunk);
  }

  override onHeader(high: number, low: number, size: number): boolean {
    const stream = this.ids.get(high, low);
    this.#frameBegins = comesBack(high);
    if (stream !== undefined) {
      this.routeFrame(stream, size);
      return true;
    }
    this.counters.framesIn += 1;
    this.current = undefined;
    if (size > 0 && !this.#isSpent(high, low)) this.#accept(high, low);
    return true;
  }

  override onPayload(piece: Buffer): void {
    if (this.#frameBegins) {
      this.#frameBegins = false;
      if (this.current !== undefined) this.#lookForReuse(this.current, piece);
    }
    super.onPayload(piece);
  }

  /**
   * spice-webdavd says nothing when a client of its own resets the connection (a download that is given up), and the next connection
   * may get the same id. The new request would be stored as the rest of a file that was being sent, or be answered with the rest of
   * another. So a frame that begins with a request for the daemon's own port begins a new stream, and what the old one was at is
   * broken off. Between two requests of one connection that changes nothing; of an unanswered one before it (pipelining) it does, but
   * no viewer ever answered those. A file with requests to that very port in it, cut just there, can't be sent on these ids.
   */
  #lookForReuse(stream: DuplexMuxStream, piece: Buffer): void {
    const port = portOfRequest(piece);
    if (port === undefined) return;
    if (stream.hasReceived && this.#ports.get(stream) === port) {
      const { high, low } = stream;
      // As if the peer had ended it: nothing more is sent on the id for the old one, not even its end.
      this.endedByPeer(stream);
      if (!stream.parked) {
        stream.destroy(new StreamResetError('its id came back with a new request'));
      }
      this.#accept(high, low);
    }
    if (this.current !== undefined && !this.current.hasReceived) {
      this.#ports.set(this.current, port);
    }
  }

  #accept(high: number, low: number): void {
    if (this.liveCount >= this.#options.maxStreams && !this.#evictIdle()) {
      // Once, not for each of thousands.
      if (!this.#full)
        this.log.warn('refused a stream: too many are open', { open: this.liveCount });
      this.#full = true;
      this.#spend(high, low);
      this.scheduler.sendEnd(high, low);
      return;
    }
    this.#full = false;
    if (this.#takeUpParked(high, low)) return;
    const stream = new DuplexMuxStream(this, {
      high,
      low,
      metadata: false,
      endSendsFrame: true,
      maxUnreadBytes: this.#options.maxUnreadBytes,
    });
    this.adopt(stream);
    this.current = stream;
    try {
      this.#options.onStream(stream);
    } catch (error) {
      this.log.error('a stream could not be served', { error: String(error) });
      stream.destroy();
    }
  }

  /** To its consumer the new id is the next request of a connection that is kept. */
  #takeUpParked(high: number, low: number): boolean {
    for (let stream; (stream = this.#parked.pop()) !== undefined;) {
      if (stream.takeUp(high, low)) {
        this.adopt(stream);
        this.current = stream;
        return true;
      }
      stream.destroy();
    }
    return false;
  }

  /** spice-webdavd doesn't tell when a connection of its clients was reset: such streams stay for ever. */
  #evictIdle(): boolean {
    let oldest: DuplexMuxStream | undefined;
    for (const stream of this.streams) {
      if (stream.parked) continue;
      if (oldest === undefined || stream.activeAtMs < oldest.activeAtMs) oldest = stream;
    }
    if (
      oldest === undefined ||
      performance.now() - oldest.activeAtMs < this.#options.evictAfterMs
    ) {
      return false;
    }
    oldest.destroy(new StreamResetError('idle for long, and all streams are in use'));
    return true;
  }

  /**
   * When this side ends a stream first, the tail of the opener's request may still arrive, and must not be taken for a new
   * request: a file's content could be one. Ids of openers that count, as ours does, are never used twice, so they are
   * remembered; spice-webdavd's come back at once.
   */
  #spend(high: number, low: number): void {
    if (comesBack(high)) return;
    this.#spent.add(toClientId(high, low));
    if (this.#spent.size <= MAX_SPENT_IDS) return;
    for (const oldest of this.#spent) {
      this.#spent.delete(oldest);
      return;
    }
  }

  #isSpent(high: number, low: number): boolean {
    return this.#spent.size > 0 && this.#spent.has(toClientId(high, low));
  }

  override onEnded(stream: DuplexMuxStream): void {
    if (this.ids.get(stream.high, stream.low) === stream) this.#spend(stream.high, stream.low);
    super.onEnded(stream);
  }

  protected override onReceived(stream: DuplexMuxStream): void {
    this.#account(stream, stream.unreadBytes);
    if (stream.unreadBytes > stream.maxUnreadBytes) {
      this.#stall(stream, stream.maxUnreadBytes / 2);
    } else if (this.#unreadBytes > this.#options.maxSessionUnreadBytes) {
      const largest = this.#largest() ?? stream;
      this.#stall(largest, largest.unreadBytes / 2);
    }
  }

  #account(stream: DuplexMuxStream, bytes: number): void {
    const before = this.#unread.get(stream) ?? 0;
    if (bytes === before) return;
    this.#unreadBytes += bytes - before;
    if (bytes === 0) this.#unread.delete(stream);
    else this.#unread.set(stream, bytes);
  }

  #largest(): DuplexMuxStream | undefined {
    let largest: DuplexMuxStream | undefined;
    for (const [stream, bytes] of this.#unread) {
      if (largest === undefined || bytes > this.#unread.get(largest)!) largest = stream;
    }
    return largest;
  }

  #stall(stream: DuplexMuxStream, resumeAtBytes: number): void {
    if (this.#stalled.has(stream)) return;
    const session = this.channelSession;
    if (session?.pause === undefined) {
      stream.destroy(new StreamResetError('bytes arrive faster than they are read'));
      return;
    }
    const { stallTimeoutMs } = this.#options;
    const timer = setTimeout(() => {
      this.log.warn('reset a stream that nobody reads', { waitedMs: stallTimeoutMs });
      stream.destroy(new StreamResetError('nobody read the stream'));
    }, stallTimeoutMs);
    this.#stalled.set(stream, { timer, resumeAtBytes });
    if (this.#stalled.size === 1) session.pause();
  }

  override onRead(stream: DuplexMuxStream): void {
    this.#account(stream, stream.unreadBytes);
    const stall = this.#stalled.get(stream);
    if (stall === undefined) return;
    if (stream.unreadBytes > stall.resumeAtBytes) stall.timer.refresh();
    else this.#unstall(stream, stall);
  }

  #unstall(stream: DuplexMuxStream, { timer }: Stall): void {
    clearTimeout(timer);
    this.#stalled.delete(stream);
    if (this.#stalled.size === 0 && !this.ended) this.channelSession?.resume?.();
  }

  override onParked(stream: DuplexMuxStream, sendEnd: boolean): void {
    super.onParked(stream, sendEnd);
    this.#ports.delete(stream);
    this.#parked.push(stream);
    if (this.#parked.length > MAX_PARKED) this.#parked.shift()!.destroy();
  }

  protected override letGo(stream: DuplexMuxStream): void {
    super.letGo(stream);
    this.#account(stream, 0);
    const stall = this.#stalled.get(stream);
    if (stall !== undefined) this.#unstall(stream, stall);
  }
}

/** Is this an id of spice-webdavd, which may use it for the next connection? Its ids are 32 bits with a sign extension. */
function comesBack(high: number): boolean {
  return high === 0 || high === 0xffff_ffff;
}
