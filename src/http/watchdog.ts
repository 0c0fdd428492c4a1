import { RunningTime } from '../running-time.js';
import type { Clock } from './clock.js';

/** What the watchdog looks at, once per tick. */
export interface Watched {
  /** A number that changes with every sign of progress of this request. */
  progress(): number;
  /** queued: has no slot yet; waiting: has a slot but no session; sent: with the peer; source: waits for its own body. */
  phase(): 'queued' | 'waiting' | 'sent' | 'source';
  /** The whole connection was silent for half the time since the request was sent. */
  onHalfTime(): void;
  /** `peerSilent`: with this request before it, the peer said nothing at all for the whole time. */
  onExpire(peerSilent: boolean): void;
}

interface Entry {
  readonly watched: Watched;
  progress: number;
  progressAt: number;
  halfTimeToldAt: number;
}

/** Head-of-line blocking: another request's bytes excuse this one's silence, but not for ever. */
const SHARED_PROGRESS_FACTOR = 4;
const TICKS_PER_TIMEOUT = 16;
const MIN_TICK_MS = 5;
const MAX_TICK_MS = 1000;

/**
 * Ends requests that make no progress. One timer for all, running only while there are requests; the cost of a byte is nothing,
 * because counters are compared once per tick.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #time: RunningTime;
  readonly #timeoutMs: number;
  /** Bytes from the peer over the whole connection. */
  readonly #bytesIn: () => number;
  readonly #entries = new Set<Entry>();
  #cancelTick: (() => void) | undefined;
  #bytesSeen = 0;
  #bytesSeenAt = 0;

  constructor(clock: Clock, timeoutMs: number, bytesIn: () => number) {
    this.#clock = clock;
    this.#time = new RunningTime(() => clock.now());
    this.#timeoutMs = timeoutMs;
    this.#bytesIn = bytesIn;
  }

  /** Watches until the returned function is called. */
  watch(watched: Watched): () => void {
    const now = this.#time.now();
    const entry: Entry = {
      watched,
      progress: watched.progress(),
      progressAt: now,
      halfTimeToldAt: -Infinity,
    };
    if (this.#entries.size === 0) this.#noteBytes(now);
    this.#entries.add(entry);
    this.#schedule();
    return () => {
      this.#entries.delete(entry);
      if (this.#entries.size === 0) this.#stop();
    };
  }

  #schedule(): void {
    if (this.#cancelTick !== undefined || this.#entries.size === 0) return;
    const tickMs = Math.min(
      MAX_TICK_MS,
      Math.max(MIN_TICK_MS, this.#timeoutMs / TICKS_PER_TIMEOUT),
    );
    const setAt = this.#time.now();
    this.#cancelTick = this.#clock.after(tickMs, () => {
      this.#cancelTick = undefined;
      this.#time.timerFired(setAt, tickMs);
      this.#tick();
      this.#schedule();
    });
  }

  #stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  #noteBytes(now: number): void {
    const bytes = this.#bytesIn();
    if (bytes === this.#bytesSeen) return;
    this.#bytesSeen = bytes;
    this.#bytesSeenAt = now;
  }

  #tick(): void {
    const now = this.#time.now();
    this.#noteBytes(now);
    for (const entry of [...this.#entries]) this.#check(entry, now);
  }

  #check(entry: Entry, now: number): void {
    const phase = entry.watched.phase();
    const progress = entry.watched.progress();
    if (progress !== entry.progress || phase === 'source') {
      entry.progress = progress;
      entry.progressAt = now;
      return;
    }
    const silentFor = now - Math.max(entry.progressAt, this.#bytesSeenAt);
    const ownSilence = now - entry.progressAt;
    if (silentFor >= this.#timeoutMs || this.#excusedTooLong(phase, ownSilence)) {
      entry.watched.onExpire(phase === 'sent' && silentFor >= this.#timeoutMs);
    } else if (phase === 'sent' && silentFor >= this.#timeoutMs / 2) {
      this.#tellHalfTime(entry);
    }
  }

  /** A request in the queue waits for those before it, each of which has its own deadline. */
  #excusedTooLong(phase: string, ownSilence: number): boolean {
    return phase !== 'queued' && ownSilence >= SHARED_PROGRESS_FACTOR * this.#timeoutMs;
  }

  #tellHalfTime(entry: Entry): void {
    if (entry.halfTimeToldAt === entry.progressAt) return;
    entry.halfTimeToldAt = entry.progressAt;
    entry.watched.onHalfTime();
  }
}
