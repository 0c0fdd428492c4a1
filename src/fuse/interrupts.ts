/**
 * FUSE_INTERRUPT → the request's signal, for those interrupts that ask for an end (see pending-signals.ts). The kernel says it only once
 * per request, so a request whose interrupt was let pass is watched: the next signal may be ^C.
 */
import { isEnding } from './pending-signals.js';
import type { FuseRequest } from './request.js';

const WATCH_MS = 100;

export class Interrupts {
  readonly #isEnding: (threadId: number) => boolean;
  /** Interrupted by a signal that asks for nothing, and not answered yet. */
  readonly #watched = new Set<FuseRequest>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ending: (threadId: number) => boolean = isEnding) {
    this.#isEnding = ending;
  }

  take(request: FuseRequest): void {
    if (this.#isEnding(request.pid)) {
      request.interrupt();
      return;
    }
    this.#watched.add(request);
    this.#timer ??= setInterval(() => this.#look(), WATCH_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#watched.clear();
  }

  #look(): void {
    for (const request of this.#watched) {
      if (!request.answered && !this.#isEnding(request.pid)) continue;
      this.#watched.delete(request);
      if (!request.answered) request.interrupt();
    }
    if (this.#watched.size === 0) this.close();
  }
}
