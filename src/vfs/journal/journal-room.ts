/** How much may be pending in the journal, and who waits for room in it. */
import { performance } from 'node:perf_hooks';
import { withSignal } from '../shared-call.js';
import type { Journal } from './journal.js';

export class JournalRoom {
  readonly #journal: Journal;
  readonly #limitBytes: number;
  readonly #timeoutMs: number;
  /** Bytes that are being added to the journal. */
  #adding = 0;
  #waiters: (() => void)[] = [];
  #progressAt = performance.now();

  /** `timeoutMs`: a writer waits no longer without any upload getting through. */
  constructor(journal: Journal, limitBytes: number, timeoutMs: number) {
    this.#journal = journal;
    this.#limitBytes = limitBytes;
    this.#timeoutMs = timeoutMs;
  }

  /** Could it be there if nothing else was? */
  mayHold(size: number): boolean {
    return size <= this.#limitBytes;
  }

  hasRoom(size: number): boolean {
    const used = this.#journal.bytes + this.#adding;
    return used === 0 || used + size <= this.#limitBytes;
  }

  /** Runs what adds that many bytes. */
  async adding<T>(size: number, add: () => Promise<T>): Promise<T> {
    this.#adding += size;
    try {
      return await add();
    } finally {
      this.#adding -= size;
    }
  }

  /** Something got through to the peer, or the peer came back. */
  noteProgress(): void {
    this.#progressAt = performance.now();
  }

  made(): void {
    const woken = this.#waiters;
    this.#waiters = [];
    for (const wake of woken) wake();
  }

  /** True: there may be more than before. False: nothing gets through to the peer. */
  async wait(signal: AbortSignal): Promise<boolean> {
    const timeoutMs = this.#timeoutMs;
    const left = Math.max(this.#progressAt, performance.now() - timeoutMs) + timeoutMs;
    let timer: NodeJS.Timeout | undefined;
    const change = new Promise<boolean>((resolve) => {
      this.#waiters.push(() => resolve(true));
      timer = setTimeout(() => resolve(false), Math.max(left - performance.now(), timeoutMs / 2));
    });
    try {
      return await withSignal(change, signal);
    } finally {
      clearTimeout(timer);
    }
  }
}
