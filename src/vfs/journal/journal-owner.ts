/** A journal is of one share. What is in it may be brought to no other. */
import { NEVER } from '../awaitable.js';
import type { Core } from '../core.js';
import { FsError } from '../filesystem.js';
import { withSignal } from '../shared-call.js';
import type { JournalFolder } from './journal-folder.js';

export class JournalOwner {
  readonly #core: Core;
  readonly #folder: JournalFolder;
  /** Undefined: not asked since the peer appeared. */
  #isOwner: Promise<boolean> | undefined;
  #isOther = false;

  constructor(core: Core, folder: JournalFolder) {
    this.#core = core;
    this.#folder = folder;
  }

  /** Known to be another share. */
  get isOther(): boolean {
    return this.#isOther;
  }

  /** The peer was away, and may be another. */
  forget(): void {
    this.#isOwner = undefined;
    this.#isOther = false;
  }

  /** Fails unless the peer is the share that the journal is of. */
  async check(signal: AbortSignal): Promise<void> {
    this.#isOwner ??= this.#ask().catch((error: unknown) => {
      this.#isOwner = undefined;
      throw error;
    });
    if (await withSignal(this.#isOwner, signal)) return;
    throw new FsError('EIO', `the peer is another share; ${this.#folder.remedy}`);
  }

  async #ask(): Promise<boolean> {
    const profile = await this.#core.profile(NEVER);
    const { posix } = await this.#core.client.stat('', { signal: NEVER });
    const file = posix?.ino === undefined ? '' : ` ${posix.dev ?? ''}:${posix.ino}`;
    if (await this.#folder.isOf(`${profile.name}${file}\n`)) return true;
    this.#isOther = true;
    this.#core.log.error('the journal is of another share: nothing of it is uploaded', {
      folder: this.#folder.journal.folder,
      remedy: this.#folder.remedy,
    });
    return false;
  }
}
