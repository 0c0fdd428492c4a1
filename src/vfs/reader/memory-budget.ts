import type { WebDavClient } from '../../webdav/types.js';

/** Something in memory that can be fetched again. */
export interface Evictable {
  readonly bytes: number;
  /** Somebody waits for it: never evicted. */
  readonly busy: boolean;
  /** Fetched ahead and not read yet: given up only for what somebody waits for. */
  readonly unread: boolean;
  /** Who reads on and on there, where that is so. */
  readonly reader?: object | undefined;
  /** Frees the memory. The budget has forgotten the entry already. */
  evict(): void;
}

/**
 * One limit for the file bytes that all readers of a mount hold in memory, least recently used first out. What a program waits for is
 * always let in (that much is bounded by the number of requests that the kernel has in flight); read-ahead only where there is room.
 */
export class MemoryBudget {
  readonly limitBytes: number;
  /** In the order of last use. */
  readonly #entries = new Set<Evictable>();
  /** How many entries each has. */
  readonly #readers = new Map<object, number>();
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  admit(entry: Evictable): void {
    this.#makeRoom(entry.bytes, true);
    this.#entries.add(entry);
    this.#usedBytes += entry.bytes;
    this.#count(entry, 1);
  }

  /** Bytes that `reader` may have on their way: a quarter of the limit is for what is kept, the rest for those who read on, in equal parts. */
  shareOf(reader: object): number {
    const others = this.#readers.size - Number(this.#readers.has(reader));
    return (this.limitBytes * 3) / 4 / (others + 1);
  }

  /** Is there room for so much read-ahead, without giving up other read-ahead? */
  roomFor(bytes: number): boolean {
    return this.#makeRoom(bytes, false);
  }

  touch(entry: Evictable): void {
    if (this.#entries.delete(entry)) this.#entries.add(entry);
  }

  release(entry: Evictable): void {
    if (!this.#entries.delete(entry)) return;
    this.#usedBytes -= entry.bytes;
    this.#count(entry, -1);
  }

  #count({ reader }: Evictable, change: number): void {
    if (!reader) return;
    const count = (this.#readers.get(reader) ?? 0) + change;
    if (count > 0) this.#readers.set(reader, count);
    else this.#readers.delete(reader);
  }

  #makeRoom(bytes: number, urgent: boolean): boolean {
    for (const sparing of urgent ? [true, false] : [true]) {
      if (this.#usedBytes + bytes <= this.limitBytes) return true;
      for (const entry of this.#entries) {
        if (entry.busy || (sparing && entry.unread)) continue;
        this.release(entry);
        entry.evict();
        if (this.#usedBytes + bytes <= this.limitBytes) return true;
      }
    }
    return this.#usedBytes + bytes <= this.limitBytes;
  }
}

const budgets = new WeakMap<WebDavClient, MemoryBudget>();

/** The budget of a mount: one per client. */
export function budgetOf(client: WebDavClient, limitBytes: number): MemoryBudget {
  let budget = budgets.get(client);
  if (budget?.limitBytes !== limitBytes) {
    budget = new MemoryBudget(limitBytes);
    budgets.set(client, budget);
  }
  return budget;
}
