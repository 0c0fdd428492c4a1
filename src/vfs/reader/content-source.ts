import type { Logger } from '../../log.js';
import { HttpError } from '../../http/types.js';
import { DavError, type GetResult, type WebDavClient } from '../../webdav/types.js';
import type { FileVersion } from '../content.js';
import { FsError } from '../filesystem.js';
import { sameVersion } from './versions.js';

/** An answer is of another version than the reader's. */
class OtherVersion extends Error {}

/** The statuses that say that the resource isn't what it was: gone, another version, shorter than the range. */
const CHANGED = new Set([404, 410, 412, 416]);

/**
 * Where the bytes of one version come from; shared by all transfers of a reader.
 * INVARIANT: once `failure` is set it stays, and no byte is handed out any more.
 */
export class ContentSource {
  readonly client: WebDavClient;
  readonly log: Logger;
  readonly version: FileVersion;
  readonly path: () => string;
  #failure: FsError | undefined;

  constructor(client: WebDavClient, log: Logger, path: () => string, version: FileVersion) {
    this.client = client;
    this.log = log;
    this.path = path;
    this.version = version;
  }

  get failure(): FsError | undefined {
    return this.#failure;
  }

  /** Throws when the answer is of another version. */
  checkHead(head: GetResult): void {
    if (!sameVersion({ size: head.totalSize, etag: head.etag }, this.version)) {
      throw new OtherVersion(`${head.etag ?? 'no ETag'}, ${head.totalSize} bytes`);
    }
  }

  /**
   * What a failed request for `path` means: returns when it is worth another try, else throws.
   * The file may have been renamed by ourselves between asking for its path and the answer: only the present path's answer counts.
   */
  judge(error: unknown, path: string): void {
    const changed =
      error instanceof OtherVersion || (error instanceof DavError && CHANGED.has(error.status));
    if (changed) {
      if (this.path() !== path) return;
      this.#failure ??= new FsError('ESTALE', `${path} has changed since it was opened`, {
        cause: error,
      });
      throw this.#failure;
    }
    const transient =
      error instanceof HttpError && (error.code === 'HTTP_LOST' || error.code === 'HTTP_PROTOCOL');
    if (!transient) throw error;
  }
}
