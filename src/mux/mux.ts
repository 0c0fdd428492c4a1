import { setTimeout as delay } from 'node:timers/promises';
import type { Channel } from '../channel/channel.js';
import type { Logger } from '../log.js';
import { silentLogger } from '../log.js';
import { AcceptorSession } from './acceptor.js';
import { MuxCounters } from './counters.js';
import { OpenerSession, randomPrefix } from './opener.js';
import type { MuxSession } from './session.js';
import type { Mux, MuxRole, MuxStats, MuxStream, OpenStreamOptions } from './types.js';
import { MuxError } from './types.js';

export interface MuxOptions {
  readonly log?: Logger;
}

export interface AcceptorMuxOptions extends MuxOptions {
  /**
   * Called for each new stream, before its first bytes are delivered. The stream is the callee's: it reads to the end or destroys
   * it. `end()` and `destroy()` both end the id; the peer may still have bytes of its request under way. A callee that parks streams
   * (`parkAtEnd`) gets them again by their keeper.
   */
  readonly onStream: (stream: MuxStream) => void;
  /** Streams at a time (default 256); further ones are ended at once. */
  readonly maxStreams?: number;
  /** Unread bytes of one stream (default 8 MiB) at which the channel is no longer read. */
  readonly maxUnreadBytes?: number;
  /** The same for all streams of the channel together (default 64 MiB). */
  readonly maxSessionUnreadBytes?: number;
  /** How long (default 30 s) a stream that nobody reads may hold up the channel before it is reset. */
  readonly stallTimeoutMs?: number;
  /** When streams run out, one on which no byte has passed for this long (default 60 s) makes room. */
  readonly evictAfterMs?: number;
}

/** After `restartSession` the port stays closed this long, so that the host notices and forgets its ids. */
const RESTART_DELAY_MS = 100;
/** A session that is over sooner is followed by a longer and longer wait. */
const MIN_SESSION_MS = 1000;
const MIN_BACK_OFF_MS = 50;
const MAX_BACK_OFF_MS = 1000;
/** So that a peer that pours out bytes doesn't keep a CPU busy. */
const JUNK_BACK_OFF_MS = 10_000;

abstract class SessionLoop<Session extends MuxSession> implements Mux {
  abstract readonly role: MuxRole;
  protected readonly counters = new MuxCounters();
  protected readonly log: Logger;
  protected session: Session | undefined;
  readonly #channel: Channel;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<(connected: boolean) => void>();
  #loop: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failure: Error | undefined;
  #restarted = false;

  constructor(channel: Channel, options: MuxOptions) {
    this.#channel = channel;
    this.log = options.log ?? silentLogger;
  }

  protected abstract createSession(): Session;

  start(): this {
    this.#loop = this.#run();
    return this;
  }

  get stats(): MuxStats {
    return this.counters;
  }

  get connected(): boolean {
    return this.session !== undefined;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    // A wrapper, so that a listener registered twice is called twice.
    const entry = (connected: boolean): void => listener(connected);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  abstract openStream(options?: OpenStreamOptions): MuxStream;

  restartSession(reason: Error): void {
    if (this.session === undefined) return;
    this.log.info('restarting the channel session', { reason: reason.message });
    this.#restarted = true;
    this.#leave(this.session, reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const reason = new MuxError('CLOSED', 'the multiplexer was closed');
    this.#stop.abort(reason);
    if (this.session !== undefined) this.#leave(this.session, reason);
    await this.#channel.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    let backOffMs = 0;
    while (!this.#stop.signal.aborted) {
      const session = await this.#openSession();
      if (session === undefined) return;
      const startedAt = performance.now();
      const error = await session.closed;
      this.#leave(session, error ?? new Error('the other side closed the channel'));
      const short = performance.now() - startedAt < MIN_SESSION_MS;
      backOffMs = short ? Math.min(Math.max(backOffMs * 2, MIN_BACK_OFF_MS), MAX_BACK_OFF_MS) : 0;
      const leastMs = this.#restarted ? RESTART_DELAY_MS : session.sentJunk ? JUNK_BACK_OFF_MS : 0;
      const waitMs = Math.max(backOffMs, leastMs);
      this.#restarted = false;
      // Rejects when closed meanwhile, which the loop's condition sees.
      await delay(waitMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #openSession(): Promise<Session | undefined> {
    const session = this.createSession();
    try {
      session.start(await this.#channel.open(session, this.#stop.signal));
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#fail(error);
      return undefined;
    }
    this.counters.sessions += 1;
    this.log.info('channel opened', { channel: this.#channel.address });
    if (this.#stop.signal.aborted) {
      session.end(new MuxError('CLOSED', 'the multiplexer was closed'));
      return session;
    }
    this.session = session;
    this.#notify(true);
    return session;
  }

  #fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error));
    // Whoever owns the mux tells people; it may be about to say so anyway.
    this.log.info('the channel failed', { reason: this.#failure.message });
    this.#notify(false);
    this.close().catch((cause: unknown) => {
      this.log.error('closing the channel failed', { reason: String(cause) });
    });
  }

  /** The session is over or is being ended: its streams fail now, whatever the channel still has to do. */
  #leave(session: Session, reason: Error): void {
    session.end(reason);
    if (this.session !== session) return;
    this.session = undefined;
    this.log.info('channel closed', { channel: this.#channel.address, reason: reason.message });
    this.#notify(false);
  }

  #notify(connected: boolean): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(connected);
      } catch (error) {
        this.log.error('a listener failed', { reason: String(error) });
      }
    }
  }
}

class OpenerMux extends SessionLoop<OpenerSession> {
  readonly role = 'opener';
  #prefix = 0;

  protected override createSession(): OpenerSession {
    this.#prefix = randomPrefix(this.#prefix);
    return new OpenerSession({ counters: this.counters, log: this.log }, this.#prefix);
  }

  override openStream(options: OpenStreamOptions = {}): MuxStream {
    if (this.session?.exhausted === true) {
      this.restartSession(new MuxError('NOT_CONNECTED', 'this session has used up its ids'));
    }
    const { session } = this;
    if (session === undefined || session.ended) {
      throw new MuxError('NOT_CONNECTED', 'the other side of the channel is not there', {
        cause: this.failure,
      });
    }
    return session.openStream(options);
  }
}

class AcceptorMux extends SessionLoop<AcceptorSession> {
  readonly role = 'acceptor';
  readonly #options: AcceptorMuxOptions;

  constructor(channel: Channel, options: AcceptorMuxOptions) {
    super(channel, options);
    this.#options = options;
  }

  protected override createSession(): AcceptorSession {
    const {
      onStream,
      maxStreams,
      maxUnreadBytes,
      maxSessionUnreadBytes,
      stallTimeoutMs,
      evictAfterMs,
    } = this.#options;
    return new AcceptorSession(
      { counters: this.counters, log: this.log },
      {
        onStream,
        maxStreams: maxStreams ?? 256,
        maxUnreadBytes: maxUnreadBytes ?? 8 * 1024 * 1024,
        maxSessionUnreadBytes: maxSessionUnreadBytes ?? 64 * 1024 * 1024,
        stallTimeoutMs: stallTimeoutMs ?? 30_000,
        evictAfterMs: evictAfterMs ?? 60_000,
      },
    );
  }

  override openStream(): MuxStream {
    throw new MuxError('WRONG_ROLE', 'an acceptor opens no streams');
  }
}

/** A multiplexer that opens streams (the guest's side). It starts to open the channel at once. */
export function createOpenerMux(channel: Channel, options: MuxOptions = {}): Mux {
  return new OpenerMux(channel, options).start();
}

/** A multiplexer that serves the streams which the other side opens (the host's side). */
export function createAcceptorMux(channel: Channel, options: AcceptorMuxOptions): Mux {
  return new AcceptorMux(channel, options).start();
}
