/**
 * Brings dirty content to the peer: at close and fsync for the one who waits, again and again in the background for what could not be
 * brought while the peer was away.
 */
import type { StagedFile, UploadResult } from './content.js';
import type { Core } from './core.js';
import type { ServerProfile } from '../webdav/types.js';
import { permissionsOf } from './attributes.js';
import { NEVER } from './awaitable.js';
import { isUnavailable, toFsError } from './errno.js';
import type { FileData } from './file-data.js';
import { FsError } from './filesystem.js';
import { keepContent, keptFolder, type KeptFile, type UnsentContent } from './keep-content.js';
import type { Node } from './node.js';
import { versionOf } from './reader/versions.js';
import { withSignal } from './shared-call.js';
import { forgetPending, pendingOf, posixOf } from './pending.js';
import { takeSnapshot } from './take-snapshot.js';

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 30_000;
const PARALLEL_UPLOADS = 4;

/** A file whose content is not at the peer. */
export interface PendingFile {
  readonly path: string;
  readonly size: number;
}

export class Uploads {
  readonly #core: Core;
  /** INVARIANT: exactly the nodes with data.dirty. */
  readonly #dirty = new Set<Node>();
  #retryTimer: NodeJS.Timeout | undefined;
  #retryDelayMs = RETRY_FIRST_MS;
  #closed = false;

  constructor(core: Core) {
    this.#core = core;
  }

  pending(): PendingFile[] {
    return [...this.#dirty].map((node) => ({
      path: node.path,
      size: node.data?.staging?.size ?? 0,
    }));
  }

  /** What is not at the peer, to be kept elsewhere. */
  unsent(): UnsentContent[] {
    return [...this.#dirty].map((node) => ({ path: node.path, staging: node.data?.staging }));
  }

  /** By how much files will grow at the peer. What is being sent may be there in part already, and counts there. */
  growth(): number {
    let bytes = 0;
    for (const { data } of this.#dirty) {
      if (data?.staging === undefined || data.upload !== undefined) continue;
      const there = data.expect === 'absent' ? 0 : data.expect.size;
      bytes += Math.max(0, data.staging.size - there);
    }
    return bytes;
  }

  /** Dirty nodes at or below a directory. */
  below(directory: Node): Node[] {
    return [...this.#dirty].filter((node) => {
      for (let at = node.parent; at !== undefined; at = at.parent)
        if (at === directory) return true;
      return false;
    });
  }

  markDirty(node: Node, data: FileData): void {
    data.dirty = true;
    this.#dirty.add(node);
  }

  /** What was written is given up: the file was removed or replaced, or the peer refused it for good. */
  discard(node: Node): void {
    this.#dirty.delete(node);
    const { data } = node;
    if (data === undefined) return;
    data.dirty = false;
    data.stream?.abandon();
    // Nobody else will ever tell those who have a removed file open what was set on it.
    if (node.unlinked) return;
    data.pendingMode = undefined;
    data.pendingMtime = undefined;
    data.pendingAtime = undefined;
  }

  /** Resolves when everything written to the node before the call is confirmed by the peer. `durable`: asks for it to be on disk there. */
  async upload(node: Node, signal: AbortSignal, durable = false): Promise<void> {
    for (;;) {
      const { data } = node;
      if (data?.dirty !== true || node.unlinked) return;
      const gate = gateOf(node);
      if (gate !== undefined) {
        await withSignal(gate, signal);
        continue;
      }
      if (data.upload !== undefined) {
        // Somebody else's; what it leaves dirty, or fails to bring, is ours to bring then.
        await withSignal(data.upload, signal);
        continue;
      }
      const { path } = node;
      const attempt = this.#attempt(node, data, signal, durable);
      data.upload = attempt.catch(() => undefined).finally(() => (data.upload = undefined));
      try {
        await attempt;
      } catch (error) {
        // The old name of a file that was renamed meanwhile: its new one is tried.
        if (node.path === path) throw error;
      }
    }
  }

  /** Brings everything; the first error after all were tried. */
  async uploadAll(signal: AbortSignal): Promise<void> {
    const queue = [...this.#dirty];
    let failure: { error: unknown } | undefined;
    const worker = async (): Promise<void> => {
      for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
        try {
          await this.upload(node, signal);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_UPLOADS }, worker));
    if (failure !== undefined) throw failure.error;
  }

  /** The peer is back: try at once. */
  kick(): void {
    if (this.#dirty.size === 0) return;
    this.#retryDelayMs = RETRY_FIRST_MS;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#retry();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
  }

  scheduleRetry(): void {
    if (this.#closed || this.#retryTimer !== undefined || this.#dirty.size === 0) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#retry();
    }, this.#retryDelayMs);
    this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, RETRY_MAX_MS);
  }

  #retry(): void {
    // Files that are open for writing are brought at their close; the rest has nobody who waits.
    for (const node of this.#dirty) {
      if (node.data === undefined || node.data.writers > 0) continue;
      this.uploadInBackground(node);
    }
    this.scheduleRetry();
  }

  /** For a file that nobody waits for. */
  uploadInBackground(node: Node): void {
    this.upload(node, NEVER).then(
      () => this.#settle(node),
      (error: unknown) => {
        this.#core.log.warn('upload failed', { path: node.path, error: toFsError(error).message });
        if (isUnavailable(error)) this.scheduleRetry();
        else void this.#giveUp(node, error);
      },
    );
  }

  /** Nobody waits for it, and the peer won't have it: kept here, in a file that the log names. What can't even be kept is tried again. */
  async #giveUp(node: Node, error: unknown): Promise<void> {
    const { data, path } = node;
    if (data === undefined || data.handles > 0) return;
    const { errno } = toFsError(error);
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
    this.dropWritten(node);
    this.#settle(node);
  }

  #keep(path: string, staging: StagedFile | undefined): Promise<KeptFile[]> {
    const { keepDir, cacheDir } = this.#core.options;
    return keepContent([{ path, staging }], keptFolder(keepDir ?? cacheDir));
  }

  /** Back to what the peer has. */
  dropWritten(node: Node): void {
    const created = node.data?.created === true;
    this.discard(node);
    node.resourceAt = -Infinity;
    if (node.parent === undefined) return;
    this.#core.recordUnknown(node.parent, node.name);
    if (created) this.#core.nodes.detach(node);
  }

  /** After the last close: nothing needs the content any more. */
  #settle(node: Node): void {
    const { data } = node;
    if (data === undefined || data.handles > 0 || data.dirty) return;
    node.data = undefined;
    disposeData(data);
    this.#core.nodes.dropIfUnused(node);
  }

  async #attempt(node: Node, data: FileData, signal: AbortSignal, durable: boolean): Promise<void> {
    const { staging } = data;
    if (staging === undefined) throw new FsError('EIO', `${node.path}: dirty without content`);
    try {
      await this.#uploadOnce(node, data, staging, signal, durable);
    } catch (error) {
      if (this.#isConflict(error)) this.#lose(node, data, toFsError(error));
      else if (isUnavailable(error)) this.scheduleRetry();
      throw error;
    }
  }

  async #uploadOnce(
    node: Node,
    data: FileData,
    staging: StagedFile,
    signal: AbortSignal,
    durable: boolean,
  ): Promise<void> {
    const profile = await this.#core.profile(signal);
    const { uploader } = this.#core.options;
    const { attempts } = data;
    const snapshot = await takeSnapshot(staging, uploader, { path: node.path, attempts }, signal);
    const { mtime } = data;
    const pending = pendingOf(data);
    const mode = pending.mode ?? this.#executableMode(node, profile);
    const { path, parent, name } = node;
    let result: UploadResult;
    try {
      const { expect, exclusive } = data;
      const posix = posixOf(node, { ...pending, mode });
      const target = { path, expect, exclusive, posix, durable, attempts };
      const { stream } = data;
      data.stream = undefined;
      result =
        (await stream?.finish(snapshot.size, target, signal)) ??
        (await uploader.upload(target, snapshot, signal));
      attempts.clear();
      staging.confirm(snapshot, versionOf(result.resource));
    } finally {
      snapshot.release();
    }
    const { resource } = result;
    const more = forgetPending(data, pending) || staging.generation !== snapshot.generation;
    const seen = mtime !== undefined && pending.mtime === undefined && resource.etag !== undefined;
    node.writtenMtime = seen ? { mtime, etag: resource.etag } : undefined;
    if (!more) {
      data.mtime = undefined;
      data.dirty = false;
      this.#dirty.delete(node);
    }
    this.confirmed(node, data, { parent, name }, result);
    this.#retryDelayMs = RETRY_FIRST_MS;
  }

  /** mod_dav's PUT makes a new file with the mode of new ones: that the old one could be executed is said again. */
  #executableMode({ resource }: Node, profile: ServerProfile): number | undefined {
    if (!profile.setsExecutable || resource.executable !== true) return undefined;
    return permissionsOf(resource, this.#core.options, profile);
  }

  /** The peer has `result` for the content of the node, stored under the name that it then had. */
  confirmed(
    node: Node,
    data: FileData,
    at: { readonly parent: Node | undefined; readonly name: string },
    { resource, durable }: UploadResult,
  ): void {
    const { parent, name } = at;
    data.expect = versionOf(resource);
    node.resource = resource;
    node.resourceAt = this.#core.now();
    if (durable) node.syncedEtag = resource.etag;
    // Every page that the kernel has was read from or written through this content.
    node.pagesEtag = resource.etag;
    if (parent !== undefined && node.parent === parent && node.name === name && !node.unlinked) {
      this.#core.recordOwn(parent, name, { ...resource, name });
    }
  }

  /** The uploader says so after it has kept the content as a conflict copy. */
  #isConflict(error: unknown): error is FsError {
    return error instanceof FsError && (error.errno === 'ESTALE' || error.errno === 'EEXIST');
  }

  #lose(node: Node, data: FileData, error: FsError): void {
    data.lost = error;
    this.dropWritten(node);
    // What the peer has under the name is another file; whoever has this one open keeps it.
    this.#core.replace(node);
  }
}

/** A removal or rename on the way, of the file or of a folder above: an upload must wait for its outcome. */
function gateOf(node: Node): Promise<void> | undefined {
  for (let at: Node | undefined = node; at !== undefined; at = at.parent)
    if (at.gate !== undefined) return at.gate;
  return undefined;
}

/** Closes what a node's content held. */
export function disposeData(data: FileData): void {
  data.stream?.abandon();
  data.reader?.close();
  data.reader = undefined;
  void data.staging?.close();
  data.staging = undefined;
}
