/**
 * Room at the peer (RFC 4331): for statfs, and so that a write fails at once that the peer could not store at close. Only growth counts:
 * whether new content needs room beside the old is the peer's to say, at the latest by 507.
 */
import type { Quota } from '../webdav/types.js';
import type { Core } from './core.js';
import type { Awaitable } from './filesystem.js';
import { FsError } from './filesystem.js';
import { isPromise } from './awaitable.js';

const STATFS_TTL_MS = 10_000;
/** A writer waits no longer for an answer; what the peer doesn't say is no reason to refuse. */
const PATIENCE_MS = 2000;
/** Written before the peer is asked (again): small files cost no question. */
const STEP_BYTES = 1024 * 1024;
/** Of the room that is left, a part may be written before the next question: so many questions for a disk that is written full. */
const PARTS = 16;
const UNKNOWN_STEP_BYTES = 64 * STEP_BYTES;
const NOTHING: Quota = { availableBytes: undefined, usedBytes: undefined };

export class Space {
  readonly #core: Core;
  /** Bytes that what is not at the peer yet will need there. */
  readonly #pendingGrowth: () => number;
  #told: { readonly quota: Quota; readonly at: number } | undefined;
  /** Growth that needs no question, and what of it is used up. */
  #allowed = STEP_BYTES;
  #grown = 0;

  constructor(core: Core, pendingGrowth: () => number) {
    this.#core = core;
    this.#pendingGrowth = pendingGrowth;
  }

  quota(signal: AbortSignal): Awaitable<Quota> {
    return this.#recent(STATFS_TTL_MS) ?? this.#ask(signal);
  }

  /** Before a file grows by so much: ENOSPC where the peer has no room for it. */
  take(bytes: number): Awaitable<void> {
    if (this.#grown + bytes > this.#allowed) return this.#look(bytes);
    this.#grown += bytes;
    return undefined;
  }

  async #look(bytes: number): Promise<void> {
    const left = this.#left(bytes, await this.#askSoon());
    if (left !== undefined && left < 0) throw new FsError('ENOSPC', 'the peer has no room for it');
    this.#grown = 0;
    this.#allowed =
      left === undefined
        ? UNKNOWN_STEP_BYTES
        : Math.min(left, Math.max(STEP_BYTES, Math.floor(left / PARTS)));
  }

  #left(bytes: number, quota: Quota | undefined): number | undefined {
    const available = quota?.availableBytes;
    return available === undefined ? undefined : available - this.#pendingGrowth() - bytes;
  }

  #recent(ms: number): Quota | undefined {
    const told = this.#told;
    return told !== undefined && told.at > this.#core.now() - ms ? told.quota : undefined;
  }

  async #askSoon(): Promise<Quota> {
    try {
      return await this.#ask(AbortSignal.timeout(PATIENCE_MS));
    } catch {
      return NOTHING;
    }
  }

  async #ask(signal: AbortSignal): Promise<Quota> {
    const known = this.#core.profile(signal);
    const profile = isPromise(known) ? await known : known;
    const at = this.#core.now();
    const quota = profile.quota ? await this.#core.client.quota('', { signal }) : NOTHING;
    this.#told = { quota, at };
    return quota;
  }
}
