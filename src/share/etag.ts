import fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { FileState } from './file-state.js';
import type { Place } from './place.js';

/**
 * A strong validator: another inode, size, time of modification or time of change is another version. ctime can't be set by anyone,
 * so a program that restores mtime after a write doesn't hide the write.
 */
export function etagOf(stat: FileState): string {
  const part = (value: bigint): string => value.toString(32);
  return `"${part(stat.ino)}-${part(stat.size)}-${part(stat.mtimeNs)}-${part(stat.ctimeNs)}"`;
}

/** How long a version is remembered at least: many ticks of the coarsest clock that file systems use for ctime (10 ms). */
const REMEMBERED_MS = 1000;
/** Longer than any tick. */
const MAX_TRIES = 50;

/**
 * Keeps the versions that this server makes distinct within one tick of the file system's clock: a new file may get the inode number
 * that its predecessor just gave back, with the same size and the same times.
 */
export class VersionKeeper {
  /** Tags given out: those of this period, and of the one before, which may be forgotten when this one ends. */
  #recent = new Set<string>();
  #older: ReadonlySet<string> = new Set();
  #periodEnds = 0;

  /** REQUIRES: `place` was just changed by this server. Waits for the next tick where the version has been there before. */
  async settle(place: Place): Promise<void> {
    place.refresh();
    for (let tries = 0; tries < MAX_TRIES && !this.settleNow(place); tries++) {
      await delay(1);
      this.#touch(place);
      place.refresh();
    }
  }

  /** As `settle`, when no wait is needed: true. REQUIRES: `place` was refreshed since the change. */
  settleNow({ stat }: Place): boolean {
    if (!stat) return true;
    const etag = etagOf(stat);
    if (this.#recent.has(etag) || this.#older.has(etag)) return false;
    this.#remember(etag);
    return true;
  }

  /** A version that is about to be changed in place: the next one must not look like it. */
  note(stat: FileState): void {
    this.#remember(etagOf(stat));
  }

  /** Sets the mode it has: only ctime moves. */
  #touch(place: Place): void {
    const { fd, stat } = place.pin();
    try {
      if (!stat.isSymbolicLink()) fs.chmodSync(`/proc/self/fd/${fd}`, Number(stat.mode & 0o7777n));
    } finally {
      fs.closeSync(fd);
    }
  }

  #remember(etag: string): void {
    const now = performance.now();
    if (now >= this.#periodEnds) {
      this.#older = this.#recent;
      this.#recent = new Set();
      this.#periodEnds = now + REMEMBERED_MS;
    }
    this.#recent.add(etag);
  }
}

/** RFC 9110 section 8.8.3.2. */
export function weakMatch(a: string, b: string): boolean {
  return stripWeak(a) === stripWeak(b);
}

export function strongMatch(a: string, b: string): boolean {
  return a === b && !a.startsWith('W/');
}

function stripWeak(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag;
}
