/**
 * Removes what clients left that died in the middle of an upload, when a listing shows it: beside all that anybody waits for, one at a
 * time, and never what may still be on its way.
 */
import { sameTag } from './reader/versions.js';
import type { Resource } from '../webdav/types.js';
import type { Core } from './core.js';
import { isOrphan } from './upload/part-name.js';

/** No upload takes a day. */
const OLD_SECONDS = 86_400;
/** phodav gives a copy the age of its source, and an upload may begin as a copy: what is old has to stay as it is for so long, too. */
const UNCHANGED_MS = 600_000;
const REMOVE_MS = 10_000;
/** More are seen by a later listing. */
const MOST = 1000;

interface Seen {
  readonly etag: string | undefined;
  readonly size: number;
  readonly at: number;
}

export class Sweep {
  readonly #core: Core;
  /** Old ones of others, by path, as they were when they were seen first. */
  readonly #seen = new Map<string, Seen>();
  readonly #queue = new Set<string>();
  #running = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** What a listing shows. `toldAt`: by the server's clock. */
  look(folder: string, uploads: readonly Resource[], toldAt = Date.now() / 1000): void {
    if (uploads.length === 0 || !this.#core.access.allowed) return;
    for (const upload of uploads) {
      if (this.#queue.size >= MOST) break;
      const path = `${folder}/${upload.name}`;
      if (isOrphan(upload.name) || this.#isForgotten(path, upload, toldAt)) this.#queue.add(path);
    }
    if (!this.#running) void this.#work();
  }

  #isForgotten(path: string, { etag, size, mtime }: Resource, toldAt: number): boolean {
    if (mtime === undefined || mtime.sec > toldAt - OLD_SECONDS) return false;
    const now = this.#core.now();
    const seen = this.#seen.get(path);
    if (seen !== undefined && seen.size === size && sameTag(seen.etag, etag)) {
      return seen.at <= now - UNCHANGED_MS;
    }
    this.#seen.delete(path);
    if (this.#seen.size < MOST) this.#seen.set(path, { etag, size, at: now });
    return false;
  }

  async #work(): Promise<void> {
    this.#running = true;
    for (const path of this.#queue) {
      await this.#remove(path);
      this.#queue.delete(path);
      this.#seen.delete(path);
    }
    this.#running = false;
  }

  async #remove(path: string): Promise<void> {
    const { client, log } = this.#core;
    try {
      await client.remove(path, { signal: AbortSignal.timeout(REMOVE_MS) });
      log.info('removed an unfinished upload whose owner is gone', { path });
    } catch (error) {
      log.debug('an unfinished upload stays', { path, error: String(error) });
    }
  }
}
