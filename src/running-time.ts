/**
 * Milliseconds in which this process could run. When it could not (the machine was stopped, or had no time for it), what others have sent
 * meanwhile is read only after the timers that are due: the pause must not count against them.
 */
export class RunningTime {
  /** Monotonic milliseconds. */
  readonly #clock: () => number;
  #lostMs = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock() - this.#lostMs;
  }

  /** To be called by a timer that was set for `delayMs` when it was `setAt`. */
  timerFired(setAt: number, delayMs: number): void {
    const lateMs = this.now() - setAt - delayMs;
    // Less is the ordinary lateness of timers.
    if (lateMs > delayMs) this.#lostMs += lateMs;
  }
}
