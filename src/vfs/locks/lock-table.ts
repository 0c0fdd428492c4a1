/** The locks that programs of this machine have on one file: fcntl(2) ranges and flock(2), which know nothing of each other. */

export type LockType = 'read' | 'write';

export interface LockRange {
  readonly type: LockType;
  readonly start: number;
  /** Last byte; Infinity: to the end, however long it gets. */
  readonly end: number;
}

export interface FileLock extends LockRange {
  readonly kind: 'posix' | 'flock';
  /** Whom the kernel takes for one holder. */
  readonly owner: bigint;
  readonly pid: number;
}

export type LockHolder = Pick<FileLock, 'kind' | 'owner'>;

export class LockTable {
  #locks: FileLock[] = [];

  get isEmpty(): boolean {
    return this.#locks.length === 0;
  }

  /** What the file has to be locked for as a whole. */
  get strongest(): LockType | undefined {
    if (this.#locks.some(({ type }) => type === 'write')) return 'write';
    return this.isEmpty ? undefined : 'read';
  }

  /** Another holder's lock that stands against this one. */
  conflict(wanted: FileLock): FileLock | undefined {
    return this.#locks.find(
      (lock) =>
        !isOf(lock, wanted) &&
        lock.kind === wanted.kind &&
        (lock.type === 'write' || wanted.type === 'write') &&
        overlaps(lock, wanted),
    );
  }

  /** In place of what the holder had there. */
  set(lock: FileLock): void {
    this.clear(lock, lock.start, lock.end);
    this.#locks.push(lock);
  }

  /** A range that goes through one of the holder's locks leaves what is before and behind it. */
  clear(holder: LockHolder, start: number, end: number): void {
    this.#locks = this.#locks.flatMap((lock) => {
      if (!isOf(lock, holder) || !overlaps(lock, { start, end })) return [lock];
      const rest: FileLock[] = [];
      if (lock.start < start) rest.push({ ...lock, end: start - 1 });
      if (lock.end > end) rest.push({ ...lock, start: end + 1 });
      return rest;
    });
  }

  has(holder: LockHolder): boolean {
    return this.#locks.some((lock) => isOf(lock, holder));
  }

  clearAll(): void {
    this.#locks = [];
  }
}

function isOf(lock: FileLock, holder: LockHolder): boolean {
  return lock.kind === holder.kind && lock.owner === holder.owner;
}

function overlaps(
  a: Pick<LockRange, 'start' | 'end'>,
  b: Pick<LockRange, 'start' | 'end'>,
): boolean {
  return a.start <= b.end && b.start <= a.end;
}
