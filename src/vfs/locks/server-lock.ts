/**
 * The lock that this mount holds on one file at the peer: taken for what its programs need together, refreshed at half its time.
 *
 *     none ──take──► held ──refresh, take again after it ran out──► held ──release──► none
 *                      └──somebody else has it, or changed the file──► lost (told to the holders)
 */
import type { WebDavClient } from '../../webdav/types.js';
import { DavError } from '../../webdav/types.js';
import type { Logger } from '../../log.js';
import { FsError } from '../filesystem.js';
import type { LockType } from './lock-table.js';

/** The peer can't be asked: tried again soon. */
const RETRY_MS = 2000;
const RELEASE_MS = 5000;

export interface ServerLockOptions {
  readonly client: WebDavClient;
  readonly log: Logger;
  readonly timeoutSec: number;
  /** Is the file at the peer the one that the holders know? Asked when the lock was not held for a while. */
  readonly isSame: (path: string) => Promise<boolean>;
  readonly onLost: (why: string) => void;
}

interface HeldLock {
  readonly path: string;
  readonly type: LockType;
  readonly token: string;
}

export class ServerLock {
  readonly #options: ServerLockOptions;
  #held: HeldLock | undefined;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: ServerLockOptions) {
    this.#options = options;
  }

  covers(type: LockType): boolean {
    return this.#held !== undefined && (this.#held.type === 'write' || type === 'read');
  }

  /** False: somebody else has it. What was held before is held still, unless it is lost. */
  async take(path: string, type: LockType, signal: AbortSignal): Promise<boolean> {
    await this.#refreshing;
    if (this.covers(type)) return true;
    const former = this.#held;
    // A shared lock can't be made an exclusive one: its own holder would be in the way.
    if (former !== undefined) await this.release();
    if (await this.#lock(path, type, signal)) return true;
    if (former !== undefined && !(await this.#lock(path, former.type, signal))) {
      this.#options.onLost('somebody else locked the file');
    }
    return false;
  }

  async release(): Promise<void> {
    await this.#refreshing;
    const held = this.#forget();
    if (held === undefined) return;
    const { client, log } = this.#options;
    try {
      await client.unlock(held.path, held.token, { signal: AbortSignal.timeout(RELEASE_MS) });
    } catch (error) {
      // It ends by its time.
      log.debug('a lock was not released', { path: held.path, error: String(error) });
    }
  }

  /** The file has another name now; locks stay with names (RFC 4918 section 7.7). */
  async follow(path: string, signal: AbortSignal): Promise<void> {
    await this.#refreshing;
    const held = this.#forget();
    if (held === undefined) return;
    const taken = await this.#lock(path, held.type, signal).catch(() => false);
    if (!taken) this.#options.onLost('the file was renamed and could not be locked again');
  }

  /** The peer was away, or refuses the token. */
  check(): void {
    if (this.#held === undefined) return;
    clearTimeout(this.#timer);
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
  }

  async #lock(path: string, type: LockType, signal: AbortSignal): Promise<boolean> {
    const { client, timeoutSec } = this.#options;
    const scope = type === 'write' ? 'exclusive' : 'shared';
    try {
      const granted = await client.lock(path, { signal, timeoutSec, scope });
      this.#keep({ path, type, token: granted.token }, granted.timeoutSec);
      if (!granted.created) return true;
      // The file was removed in that moment, and the lock has made an empty one.
      await client.remove(path);
      this.#forget();
      throw new FsError('ESTALE', `${path} was removed before it could be locked`);
    } catch (error) {
      if (error instanceof DavError && error.status === 423) return false;
      throw error;
    }
  }

  #keep(held: HeldLock, seconds: number): void {
    this.#held = held;
    this.#options.client.locks.set(held.path, held.token);
    this.#schedule((seconds * 1000) / 2);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.check(), ms);
    this.#timer.unref();
  }

  #forget(): HeldLock | undefined {
    const held = this.#held;
    clearTimeout(this.#timer);
    this.#held = undefined;
    if (held !== undefined) this.#options.client.locks.delete(held.path);
    return held;
  }

  async #refresh(): Promise<void> {
    const held = this.#held!;
    const { client, timeoutSec } = this.#options;
    try {
      const seconds = await client.refreshLock(held.path, held.token, { timeoutSec });
      this.#keep(held, seconds);
    } catch (error) {
      if (!(error instanceof DavError) || error.status >= 500) this.#schedule(RETRY_MS);
      else await this.#takeAgain(held.path, held.type);
    }
  }

  async #takeAgain(path: string, type: LockType): Promise<void> {
    const { isSame, log, onLost } = this.#options;
    this.#forget();
    try {
      if (!(await this.#lock(path, type, AbortSignal.timeout(RELEASE_MS)))) {
        onLost('somebody else has locked the file meanwhile');
      } else if (await isSame(path)) {
        log.info('a lock that had run out was taken again', { path });
      } else {
        const held = this.#forget()!;
        onLost('somebody else has changed the file meanwhile');
        await this.#options.client.unlock(path, held.token);
      }
    } catch (error) {
      this.#forget();
      onLost(`it could not be taken again (${String(error)})`);
    }
  }
}
