/** One wait at a time that can be ended from outside; afterwards every further wait ends at once. */
export class InterruptibleWait {
  #reject: ((reason: unknown) => void) | undefined;
  #interrupted: { readonly reason: unknown } | undefined;

  /** Somebody is waiting. */
  get on(): boolean {
    return this.#reject !== undefined;
  }

  interrupt(reason: unknown): void {
    this.#interrupted ??= { reason };
    this.#reject?.(reason);
  }

  /** `arrange` sees to it that `done` or `fail` is called, later, and returns how to call that off. */
  start(arrange: (done: () => void, fail: (reason: unknown) => void) => () => void): Promise<void> {
    if (this.#interrupted !== undefined) return Promise.reject(this.#interrupted.reason);
    return new Promise((resolve, reject) => {
      const wait = { callOff: (): void => undefined };
      const settle = (then: () => void): void => {
        if (this.#reject !== fail) return;
        this.#reject = undefined;
        wait.callOff();
        then();
      };
      const fail = (reason: unknown): void => settle(() => reject(reason));
      this.#reject = fail;
      wait.callOff = arrange(() => settle(resolve), fail);
    });
  }
}
