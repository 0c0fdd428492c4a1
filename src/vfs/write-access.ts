/**
 * Whether the peer takes changes at all. phodav doesn't tell that a share is read-only: it refuses every change with 403, as it refuses
 * a single folder that its user may not write to. After the first refusal one small try in the root tells which it is.
 */
import type { ServerProfile, WebDavClient } from '../webdav/types.js';
import { DavError } from '../webdav/types.js';
import { newPartName } from './upload/part-name.js';
import { FsError, type Awaitable } from './filesystem.js';

export class WriteAccess {
  readonly #client: WebDavClient;
  readonly #mountedReadOnly: boolean;
  #refused = false;
  #tried = false;
  #asking: Promise<boolean> | undefined;

  constructor(client: WebDavClient, mountedReadOnly: boolean) {
    this.#client = client;
    this.#mountedReadOnly = mountedReadOnly;
  }

  check(): void {
    if (this.#mountedReadOnly || this.#refused)
      throw new FsError('EROFS', 'the share is read-only');
  }

  get allowed(): boolean {
    return !this.#mountedReadOnly && !this.#refused;
  }

  /**
   * Before the first change on a server that doesn't tell: a refusal at open(2) is noticed by every program, one at close(2) by few.
   * Synchronous once it is known.
   */
  ensure(profile: ServerProfile): Awaitable<void> {
    this.check();
    if (this.#tried || profile.name !== 'phodav') return undefined;
    this.#asking ??= this.#isReadOnly().finally(() => (this.#asking = undefined));
    return this.#asking.then((readOnly) => {
      this.#tried = true;
      this.#refused = readOnly;
      this.check();
    });
  }

  /** The peer may be another one now. */
  forget(): void {
    this.#tried = false;
    this.#refused = false;
  }

  /** The error to answer with after a change failed with `error`: EROFS where nothing at all can be changed. */
  async explain(error: unknown): Promise<unknown> {
    if (!isForbidden(error)) return error;
    this.#asking ??= this.#isReadOnly().finally(() => (this.#asking = undefined));
    if (!(await this.#asking)) return error;
    this.#refused = true;
    return new FsError('EROFS', 'the share is read-only', { cause: error });
  }

  async #isReadOnly(): Promise<boolean> {
    const path = `/${newPartName()}`;
    try {
      await this.#client.put(path, new Uint8Array(0));
    } catch (error) {
      return isForbidden(error);
    }
    await this.#client.remove(path).catch(() => undefined);
    return false;
  }
}

function isForbidden(error: unknown): boolean {
  if (error instanceof DavError) return error.status === 403;
  return error instanceof Error && error.cause !== undefined && isForbidden(error.cause);
}
