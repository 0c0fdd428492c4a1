/**
 * What nobody waits for: pages that are written back after the last close, what is in the journal, what could not be brought while the peer
 * was away (tried again and again), and what the peer refuses for good (kept here).
 */
import { NEVER } from './awaitable.js';
import type { StagedFile } from './content.js';
import type { Core } from './core.js';
import { isUnavailable, toFsError } from './errno.js';
import type { FileData } from './file-data.js';
import { keepContent, keptFolder, type KeptFile } from './keep-content.js';
import type { Node } from './node.js';
import type { Uploads } from './uploads.js';

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 30_000;
const UNHURRIED = { signal: NEVER, durable: false };

export class BackgroundUploads {
  readonly #core: Core;
  readonly #uploads: Uploads;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryDelayMs = RETRY_FIRST_MS;
  #closed = false;

  constructor(core: Core, uploads: Uploads) {
    this.#core = core;
    this.#uploads = uploads;
  }

  /** The peer is back: try at once. */
  kick(): void {
    if (this.#uploads.dirty.isEmpty) return;
    this.#retryDelayMs = RETRY_FIRST_MS;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#retry();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
  }

  /** The peer takes what is brought: the next failure is the first of its kind. */
  noteSuccess(): void {
    this.#retryDelayMs = RETRY_FIRST_MS;
  }

  scheduleRetry(): void {
    if (this.#closed || this.#retryTimer !== undefined || this.#uploads.dirty.isEmpty) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#retry();
    }, this.#retryDelayMs);
    this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, RETRY_MAX_MS);
  }

  #retry(): void {
    // Files that are open for writing are brought at their close; the rest has nobody who waits.
    for (const node of this.#uploads.dirty.all()) {
      if (node.data?.committed !== undefined) this.#core.writeback?.enqueue(node);
      else if (node.data?.writers === 0) this.upload(node);
    }
    this.scheduleRetry();
  }

  /** For a file that nobody waits for. */
  upload(node: Node): void {
    const isWanted = ({ dirty }: FileData): boolean => dirty;
    this.#uploads.uploadWanted(node, { ...UNHURRIED, isWanted }).then(
      () => this.#settle(node),
      (error: unknown) => this.#failed(node, error),
    );
  }

  /** Brings what is in the journal, and nothing that is still being written. Never rejects. */
  async bring(node: Node): Promise<void> {
    try {
      const isWanted = ({ isCommitted }: FileData): boolean => isCommitted;
      await this.#uploads.uploadWanted(node, { ...UNHURRIED, isWanted });
      this.#settle(node);
    } catch (error) {
      this.#failed(node, error);
    }
  }

  /** After the last close of a file that is dirty: pages of a mapping written back after close(2), or an upload that failed, or was left to the background. */
  leave(node: Node, data: FileData): void {
    const { writeback } = this.#core;
    if (writeback === undefined) {
      this.upload(node);
      return;
    }
    if (data.isCommitted) {
      writeback.leaveToJournal(data);
      writeback.enqueue(node);
      return;
    }
    writeback.commits.commit(node, NEVER).then(
      () => {
        if (node.data === data && data.handles === 0) writeback.leaveToJournal(data);
        this.#settle(node);
      },
      (error: unknown) => this.#failed(node, error),
    );
  }

  #failed(node: Node, error: unknown): void {
    this.#core.log.warn('upload failed', { path: node.path, error: toFsError(error).message });
    if (node.data?.lost !== undefined && !node.data.dirty) {
      // It has a copy at the peer.
      this.#settle(node);
      return;
    }
    const committed = node.data?.committed;
    if (isUnavailable(error)) this.scheduleRetry();
    else if (committed !== undefined) this.#core.writeback?.refuse(node, committed, error);
    else void this.#giveUp(node, error);
  }

  /** Nobody waits for it, and the peer won't have it: kept here, in a file that the log names. What can't even be kept is tried again. */
  async #giveUp(node: Node, error: unknown): Promise<void> {
    const { data, path } = node;
    if (data === undefined || data.handles > 0) return;
    const { errno } = toFsError(error);
    const generation = data.staging?.generation;
    const nothing = data.created && data.staging?.size === 0;
    const [kept] = nothing ? [] : await this.#keep(path, data.staging);
    const { log } = this.#core;
    if (kept !== undefined && kept.keptIn === undefined) {
      // Removed meanwhile, or brought.
      if (node.data !== data) return;
      log.error('what was written is refused by the peer, and cannot be kept', {
        ...{ path, errno, reason: kept.error },
      });
      this.scheduleRetry();
      return;
    }
    log.error('what was written is refused by the peer', { path, errno, kept: kept?.keptIn });
    // Opened or brought meanwhile: the next close tells.
    if (node.data !== data || data.handles > 0 || !data.dirty) return;
    if (data.staging?.generation !== generation) return;
    this.#uploads.dropWritten(node);
    this.#settle(node);
  }

  #keep(path: string, staging: StagedFile | undefined): Promise<KeptFile[]> {
    const { keepDir, cacheDir } = this.#core.options;
    return keepContent([{ path, staging }], keptFolder(keepDir ?? cacheDir));
  }

  /** After an upload that nobody waits for. */
  #settle(node: Node): void {
    const { data } = node;
    if (data !== undefined && data.handles === 0 && !data.dirty) this.#uploads.dispose(node, data);
  }
}
