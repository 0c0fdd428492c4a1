/**
 * One direction of a slow wire: what goes in comes out in order, later, and no faster than so many bytes per second. What is under way
 * is bounded, as in the buffers of a real wire: over that whoever sends must wait.
 */
import { systemClock, type Clock } from '../../src/http/clock.js';

export interface LineSpeed {
  /** Between the arrival of a byte and its leaving. */
  readonly delayMs: number;
  /** Infinity: no limit. */
  readonly bytesPerSecond: number;
}

/** For a wire with no limit to its rate: what TCP has under way at most, as systems are set up. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;
/** What waits before a narrow wire, beside what is in it. */
const QUEUE_BYTES = 256 * 1024;

/** Timers count whole milliseconds: what is due within half of one is due. */
const TICK_MS = 0.5;

interface Held {
  readonly dueAt: number;
  readonly bytes: number;
  readonly deliver: () => void;
}

export class SlowLine {
  readonly #speed: LineSpeed;
  readonly #clock: Clock;
  readonly #mostBytes: number;
  readonly #held: Held[] = [];
  readonly #waiting: (() => void)[] = [];
  #heldBytes = 0;
  /** When the last byte that was taken has passed the narrowest point. */
  #freeAt = 0;
  #isArmed = false;

  constructor(speed: LineSpeed, clock = systemClock) {
    this.#speed = speed;
    this.#clock = clock;
    const { bytesPerSecond, delayMs } = speed;
    const inFlight = bytesPerSecond === Infinity ? Infinity : (bytesPerSecond * delayMs) / 1000;
    this.#mostBytes = Math.min(inFlight + QUEUE_BYTES, MAX_HELD_BYTES);
  }

  /** False: full; wait for `onRoom`. It is taken nevertheless. */
  send(bytes: number, deliver: () => void): boolean {
    const now = this.#clock.now();
    this.#freeAt = Math.max(this.#freeAt, now) + (bytes / this.#speed.bytesPerSecond) * 1000;
    const dueAt = this.#freeAt + this.#speed.delayMs;
    if (this.#held.length === 0 && dueAt <= now + TICK_MS) {
      deliver();
      return true;
    }
    this.#held.push({ dueAt, bytes, deliver });
    this.#heldBytes += bytes;
    this.#arm(now);
    return this.#heldBytes < this.#mostBytes;
  }

  /** Calls `go` once there is room again. */
  onRoom(go: () => void): void {
    this.#waiting.push(go);
  }

  #arm(now: number): void {
    const first = this.#held[0];
    if (first === undefined || this.#isArmed) return;
    this.#isArmed = true;
    this.#clock.after(first.dueAt - now, () => {
      this.#isArmed = false;
      this.#deliverDue();
    });
  }

  #deliverDue(): void {
    const now = this.#clock.now();
    let due = 0;
    while (due < this.#held.length && this.#held[due]!.dueAt <= now + TICK_MS) due += 1;
    for (const { bytes, deliver } of this.#held.splice(0, due)) {
      this.#heldBytes -= bytes;
      deliver();
    }
    this.#arm(now);
    if (this.#heldBytes < this.#mostBytes) for (const go of this.#waiting.splice(0)) go();
  }
}
