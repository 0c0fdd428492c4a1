import { HttpError } from '../../http/types.js';
import { DavError, type WebDavClient } from '../../webdav/types.js';

const REMOVE_MS = 10_000;
/** phodav commits what it has of a PUT that is given up, maybe after a DELETE that came at once. */
const AGAIN_MS = 1000;

/**
 * Removes hidden names that failed uploads left behind. Nobody waits for it: what can't be removed now, as the peer is gone, is
 * removed after the next upload that succeeds.
 */
export class Leftovers {
  readonly #client: WebDavClient;
  readonly #remembered = new Set<string>();

  constructor(client: WebDavClient) {
    this.#client = client;
  }

  /** Best effort; never rejects. */
  async remove(path: string): Promise<void> {
    try {
      await this.#client.remove(path, { signal: AbortSignal.timeout(REMOVE_MS) });
    } catch (error) {
      const refused =
        error instanceof DavError || (error instanceof HttpError && error.code === 'HTTP_CLOSED');
      if (!refused) this.#remembered.add(path);
    }
  }

  /** For a PUT that was given up: it may still be stored when the first DELETE has been answered. */
  removeSoon(path: string): void {
    void this.remove(path);
    setTimeout(() => void this.remove(path), AGAIN_MS).unref();
  }

  /** The peer is there: what could not be removed before. */
  sweep(): void {
    for (const path of this.#remembered) {
      this.#remembered.delete(path);
      void this.remove(path);
    }
  }
}
