/**
 * Who may have a request in flight. Metadata goes first; within a kind, first come, first served.
 */
export interface SlotLimits {
  /** Requests in flight over both kinds. */
  readonly total: number;
  readonly metadata: number;
  readonly bulk: number;
}

export type SlotKind = 'metadata' | 'bulk';

interface Waiter {
  readonly grant: () => void;
}

export class Slots {
  readonly #limits: SlotLimits;
  readonly #inFlight: Record<SlotKind, number> = { metadata: 0, bulk: 0 };
  /** A Set keeps the order and lets a waiter leave in O(1). */
  readonly #waiting: Record<SlotKind, Set<Waiter>> = { metadata: new Set(), bulk: new Set() };

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  get inFlight(): number {
    return this.#inFlight.metadata + this.#inFlight.bulk;
  }

  /** True: the slot is the caller's at once. */
  tryTake(kind: SlotKind): boolean {
    if (this.#waiting[kind].size > 0 || !this.#free(kind)) return false;
    this.#inFlight[kind] += 1;
    return true;
  }

  /** Calls `grant` when the slot is the caller's. The returned function leaves the queue (before the grant only). */
  wait(kind: SlotKind, grant: () => void): () => void {
    const waiter: Waiter = { grant };
    this.#waiting[kind].add(waiter);
    return () => this.#waiting[kind].delete(waiter);
  }

  release(kind: SlotKind): void {
    this.#inFlight[kind] -= 1;
    this.#grantNext('metadata');
    this.#grantNext('bulk');
  }

  #free(kind: SlotKind): boolean {
    return this.#inFlight[kind] < this.#limits[kind] && this.inFlight < this.#limits.total;
  }

  #grantNext(kind: SlotKind): void {
    const waiting = this.#waiting[kind];
    for (const waiter of waiting) {
      if (!this.#free(kind)) return;
      waiting.delete(waiter);
      this.#inFlight[kind] += 1;
      waiter.grant();
    }
  }
}
