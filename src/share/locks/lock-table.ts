/** The write locks of a share (RFC 4918 sections 6 and 7): which there are, and what each protects. Knows no files. */
import { randomUUID } from 'node:crypto';
import { ShareError } from '../errors.js';
import { isBelow, parentOf, type ResourceKeys } from './resource-keys.js';

export type LockScope = 'exclusive' | 'shared';

export interface LockRequest {
  readonly scope: LockScope;
  /** Depth infinity: all that is below the root of the lock, too. */
  readonly deep: boolean;
  /** The owner element as it was given, as XML; '' for none. */
  readonly owner: string;
  readonly timeoutMs: number;
  /** The URL of the LOCK request: root of the lock. */
  readonly segments: readonly string[];
  readonly collection: boolean;
  readonly keys: ResourceKeys;
}

export interface Lock extends LockRequest {
  /** A URI. */
  readonly token: string;
  /** By the clock of the table. */
  readonly expiresAt: number;
}

export interface LockLimits {
  /** Milliseconds that never go backwards. */
  readonly clock: () => number;
  /** Of all locks together. */
  readonly maxLocks: number;
}

/** Can't both protect one resource. */
export function opposes(a: Pick<Lock, 'scope'>, b: Pick<Lock, 'scope'>): boolean {
  return a.scope === 'exclusive' || b.scope === 'exclusive';
}

/** Ours: shared locks with the same root. */
const MAX_PER_ROOT = 32;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A lock that has expired is gone for whoever asks; there is no timer.
 *
 * INVARIANT: an exclusive lock shares none of the resources it protects with another lock.
 */
export class LockTable {
  readonly #limits: LockLimits;
  readonly #byToken = new Map<string, Mutable<Lock>>();
  /** By each key of their roots. */
  readonly #byKey = new Map<string, Set<Lock>>();
  /** No lock expires before. */
  #nextExpiry = Infinity;

  constructor(limits: LockLimits) {
    this.#limits = limits;
  }

  get size(): number {
    this.#dropExpired();
    return this.#byToken.size;
  }

  get(token: string): Lock | undefined {
    this.#dropExpired();
    return this.#byToken.get(token);
  }

  all(): Lock[] {
    this.#dropExpired();
    return [...this.#byToken.values()];
  }

  /** The locks that protect the resource: those with it as their root, and deep ones from above. */
  covering(keys: ResourceKeys): Lock[] {
    this.#dropExpired();
    const found = new Set<Lock>();
    if (this.#byToken.size === 0) return [];
    for (const key of keys) {
      for (const lock of this.#byKey.get(key) ?? []) found.add(lock);
      for (let at = parentOf(key); at !== undefined; at = parentOf(at)) {
        for (const lock of this.#byKey.get(at) ?? []) if (lock.deep) found.add(lock);
      }
    }
    return [...found];
  }

  /** The locks with roots strictly below the resource. */
  below(keys: ResourceKeys): Lock[] {
    return this.all().filter((lock) =>
      lock.keys.some((inner) => keys.some((outer) => isBelow(outer, inner))),
    );
  }

  /** The locks with the resource as their root, or one below it. */
  rootedIn(keys: ResourceKeys): Lock[] {
    return [...new Set([...this.#rootedAt(keys), ...this.below(keys)])];
  }

  /** The locks that stand in the way of a new one: `own` protect its root, `members` only what is below. */
  conflicts(wanted: Pick<LockRequest, 'scope' | 'deep' | 'keys'>): {
    own: Lock[];
    members: Lock[];
  } {
    const { deep, keys } = wanted;
    return {
      own: this.covering(keys).filter((lock) => opposes(lock, wanted)),
      members: deep ? this.below(keys).filter((lock) => opposes(lock, wanted)) : [],
    };
  }

  /** Throws ShareError 507 when there are too many locks for one more. */
  requireRoom(keys: ResourceKeys): void {
    if (this.size >= this.#limits.maxLocks || this.#rootedAt(keys).length >= MAX_PER_ROOT) {
      throw new ShareError(507, 'too many locks');
    }
  }

  /** REQUIRES: no conflicts, and room. */
  add(request: LockRequest): Lock {
    const expiresAt = this.#limits.clock() + request.timeoutMs;
    const lock = { ...request, token: `urn:uuid:${randomUUID()}`, expiresAt };
    this.#byToken.set(lock.token, lock);
    for (const key of lock.keys) {
      const there = this.#byKey.get(key);
      if (there) there.add(lock);
      else this.#byKey.set(key, new Set([lock]));
    }
    this.#nextExpiry = Math.min(this.#nextExpiry, expiresAt);
    return lock;
  }

  /** Starts its timeout anew. A lock that is gone stays so. */
  refresh({ token }: Lock, timeoutMs: number): void {
    const lock = this.#byToken.get(token);
    if (!lock) return;
    lock.timeoutMs = timeoutMs;
    lock.expiresAt = this.#limits.clock() + timeoutMs;
    this.#nextExpiry = Math.min(this.#nextExpiry, lock.expiresAt);
  }

  /** Idempotent. */
  remove(lock: Lock): void {
    if (!this.#byToken.delete(lock.token)) return;
    for (const key of lock.keys) {
      const there = this.#byKey.get(key);
      there?.delete(lock);
      if (there?.size === 0) this.#byKey.delete(key);
    }
  }

  remainingMs(lock: Lock): number {
    return Math.max(lock.expiresAt - this.#limits.clock(), 0);
  }

  #rootedAt(keys: ResourceKeys): Lock[] {
    return keys.flatMap((key) => [...(this.#byKey.get(key) ?? [])]);
  }

  #dropExpired(): void {
    const now = this.#limits.clock();
    if (now < this.#nextExpiry) return;
    this.#nextExpiry = Infinity;
    for (const lock of this.#byToken.values()) {
      if (lock.expiresAt <= now) this.remove(lock);
      else this.#nextExpiry = Math.min(this.#nextExpiry, lock.expiresAt);
    }
  }
}
