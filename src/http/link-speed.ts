import type { Clock } from './clock.js';

/** Less than this says nothing: it may have come in one piece. */
const LEAST_BYTES = 64 * 1024;
/** So much took longer on the link than the peer took to begin, where the link is slow. */
const LONG_BODY_BYTES = 16 * 1024;
/** Over this, what was counted so far counts half. */
const MEMORY_BYTES = 4 * 1024 * 1024;

export interface SpeedBounds {
  /** Bytes per second below which it becomes slow, and from which it stops being so: what lies between changes nothing. */
  readonly slowBelow: number;
  readonly fastFrom: number;
}

/**
 * How fast bodies arrive, all of one kind together, while at least one of them is on its way. The first piece of the first one doesn't
 * count, since nobody knows how long it took. Where one knows when it was asked for, all of it counts, or nothing of a short one: many a
 * channel hands over what is not long in one piece, however slow it is.
 */
export class LinkSpeed {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #bounds: SpeedBounds;
  #bodies = 0;
  /** Of what was asked for, as long as it is little. */
  #earlyBytes = 0;
  #askedAt: number | undefined;
  #lastAt: number | undefined;
  #bytes = 0;
  #ms = 0;
  #slow: boolean | undefined;

  constructor(clock: Pick<Clock, 'now'>, bounds: SpeedBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /** Undefined until enough has come to tell. */
  get slow(): boolean | undefined {
    return this.#slow;
  }

  /** A body begins. */
  begin(): void {
    this.#bodies += 1;
  }

  /** A body is asked for, from somebody who has it at hand: in place of `begin`. */
  ask(): void {
    if (this.#bodies === 0) this.#askedAt = this.#clock.now();
    this.#bodies += 1;
  }

  arrived(bytes: number): void {
    const now = this.#clock.now();
    if (this.#lastAt !== undefined) this.#count(bytes, now - this.#lastAt);
    else if (this.#askedAt !== undefined) {
      this.#earlyBytes += bytes;
      if (this.#earlyBytes < LONG_BODY_BYTES) return;
      this.#count(this.#earlyBytes, now - this.#askedAt);
    }
    this.#lastAt = now;
  }

  /** A body is over; once for each `begin` or `ask`. */
  end(): void {
    this.#bodies -= 1;
    if (this.#bodies > 0) return;
    this.#lastAt = undefined;
    this.#askedAt = undefined;
    this.#earlyBytes = 0;
  }

  #count(bytes: number, ms: number): void {
    this.#bytes += bytes;
    this.#ms += ms;
    if (this.#bytes < LEAST_BYTES) return;
    const perSecond = (this.#bytes / this.#ms) * 1000;
    if (perSecond < this.#bounds.slowBelow) this.#slow = true;
    else if (perSecond >= this.#bounds.fastFrom) this.#slow = false;
    else this.#slow ??= false;
    if (this.#bytes <= MEMORY_BYTES) return;
    this.#bytes /= 2;
    this.#ms /= 2;
  }
}
