import type { Logger } from '../../log.js';
import { HttpError } from '../../http/types.js';
import { DavError, type GetResult, type WebDavClient } from '../../webdav/types.js';
import type { CachedContent } from '../content-cache/cached-content.js';
import type { ContentCache } from '../content-cache/content-cache.js';
import type { DataOptions, FileVersion } from '../content.js';
import { FsError } from '../filesystem.js';
import { sameVersion } from './versions.js';

/** A change of ours that is on its way, if there is one: of the name, mode or times, not of the content. */
export type Settling = () => Promise<void> | undefined;

/** Requests don't stay on their way for so many changes. */
const MAX_VERSIONS = 8;

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
  readonly path: () => string;
  /** The same content under each of the ETags that it had, the present one first. */
  #versions: readonly FileVersion[];
  readonly #settling: Settling;
  readonly #contents: ContentCache | undefined;
  #cached: Promise<CachedContent | undefined> | undefined;
  #failure: FsError | undefined;

  constructor(
    { client, log, contents }: Pick<DataOptions, 'client' | 'log' | 'contents'>,
    path: () => string,
    version: FileVersion,
    settling: Settling = () => undefined,
  ) {
    this.client = client;
    this.log = log;
    this.path = path;
    this.#versions = [version];
    this.#settling = settling;
    this.#contents = contents;
  }

  get version(): FileVersion {
    return this.#versions[0]!;
  }

  /** Our own change of name, mode or times gave the content another ETag. Answers with the one before may still be on their way. */
  retag(version: FileVersion): void {
    this.#versions = [version, ...this.#versions].slice(0, MAX_VERSIONS);
  }

  /** What is kept of it on disk. Undefined: nothing is ever kept. */
  cached(): Promise<CachedContent | undefined> | undefined {
    if (!this.#contents) return undefined;
    return (this.#cached ??= this.#contents.find(this.path(), this.version));
  }

  close(): void {
    void this.#cached?.then((cached) => cached?.close());
  }

  get failure(): FsError | undefined {
    return this.#failure;
  }

  /** Throws when the answer is of another version. */
  checkHead(head: GetResult): void {
    const told = { size: head.totalSize, etag: head.etag };
    if (!this.#versions.some((version) => sameVersion(told, version))) {
      throw new OtherVersion(`${head.etag ?? 'no ETag'}, ${head.totalSize} bytes`);
    }
  }

  /**
   * What a failed request for `path` means: returns when it is worth another try, else throws.
   * The file may have been renamed by ourselves between asking for its path and the answer: only the present path's answer counts. And
   * while a change of ours is on its way, its ETag may be the new one already.
   */
  async judge(error: unknown, path: string): Promise<void> {
    const changed =
      error instanceof OtherVersion || (error instanceof DavError && CHANGED.has(error.status));
    if (changed) {
      const settling = this.#settling();
      if (settling !== undefined) return settling;
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
