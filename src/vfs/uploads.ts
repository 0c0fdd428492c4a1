/** Brings dirty content to the peer: at close and fsync for the one who waits, else for `BackgroundUploads`. */
import type { UploadResult } from './content.js';
import type { Core } from './core.js';
import { BackgroundUploads } from './background-uploads.js';
import { isUnavailable } from './errno.js';
import type { FileData } from './file-data.js';
import { FsError } from './filesystem.js';
import { gateOf } from './gate.js';
import type { Node } from './node.js';
import { versionOf } from './reader/versions.js';
import { withSignal } from './shared-call.js';
import { forgetPending, pendingOf, posixOf, withKeptMode } from './pending.js';
import { takeSnapshot } from './take-snapshot.js';
import { isConflict } from './upload/conflict-copy.js';
import { DirtyFiles } from './upload/dirty-files.js';

const PARALLEL_UPLOADS = 16;

export class Uploads {
  readonly #core: Core;
  readonly dirty = new DirtyFiles();
  readonly background: BackgroundUploads;

  constructor(core: Core) {
    this.#core = core;
    this.background = new BackgroundUploads(core, this);
  }

  /** What was written is given up: the file was removed or replaced, or the peer refused it for good. */
  discard(node: Node): void {
    const { data } = node;
    this.dirty.delete(node, data);
    if (data === undefined) return;
    data.stream?.abandon();
    this.#core.writeback?.discard(data);
    // Nobody else will ever tell those who have a removed file open what was set on it.
    if (node.unlinked) return;
    data.pendingMode = undefined;
    data.pendingMtime = undefined;
    data.pendingAtime = undefined;
  }

  /**
   * Resolves when everything written to the node before the call is confirmed by the peer; fails, too, when another's upload has lost it.
   * `durable`: asks for it to be on disk there.
   */
  async upload(node: Node, signal: AbortSignal, durable = false): Promise<void> {
    const { data } = node;
    if (data === undefined || !isDirty(data)) return;
    await this.uploadWanted(node, { signal, durable, isWanted: isDirty });
    if (!isDirty(data) && data.lost !== undefined) throw data.lost;
  }

  /** As long as there is something to bring for whoever asks. */
  async uploadWanted(node: Node, how: How): Promise<void> {
    const { signal, isWanted } = how;
    for (;;) {
      const { data } = node;
      if (data?.dirty !== true || node.unlinked || !isWanted(data)) return;
      const busy = gateOf(node) ?? data.committing;
      if (busy !== undefined) {
        await withSignal(busy, signal);
        continue;
      }
      if (data.upload !== undefined) {
        // Somebody else's; what it leaves dirty, or fails to bring, is ours to bring then.
        await withSignal(data.upload, signal);
        continue;
      }
      const { path } = node;
      const attempt = this.#attempt(node, data, how);
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
  async uploadAll(signal: AbortSignal, nodes = this.dirty.all()): Promise<void> {
    const queue = nodes.toReversed();
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

  /** Back to what the peer has. */
  dropWritten(node: Node): void {
    const created = node.data?.created === true;
    this.discard(node);
    node.resourceAt = -Infinity;
    if (node.parent === undefined) return;
    this.#core.recordUnknown(node.parent, node.name);
    if (created) this.#core.nodes.detach(node);
  }

  /** Nothing needs the content of the node any more. */
  dispose(node: Node, data: FileData): void {
    this.#core.recent.keep(node, data);
    node.data = undefined;
    disposeData(data);
    this.#core.nodes.dropIfUnused(node);
  }

  async #attempt(node: Node, data: FileData, how: How): Promise<void> {
    for (let lost: FsError | undefined; ;) {
      const sent: Sent = { generation: undefined };
      try {
        const rest = { ...how, isWanted: isDirty };
        await this.#uploadOnce(node, data, lost === undefined ? how : rest, sent);
        if (data.lost === lost) data.lost = undefined;
        return;
      } catch (error) {
        if (isUnavailable(error)) this.background.scheduleRetry();
        if (!isConflict(error) || sent.generation === undefined) throw error;
        // Nothing is written to it any more; what was, while this was on its way, gets a copy, too.
        lost = data.lost = error;
        if (data.dirty && data.staging?.generation !== sent.generation) continue;
        this.#lose(node);
        throw error;
      }
    }
  }

  async #uploadOnce(
    node: Node,
    data: FileData,
    { signal, durable, isWanted }: How,
    sent: Sent,
  ): Promise<void> {
    const profile = await this.#core.profile(signal);
    const { writeback, options } = this.#core;
    if (writeback !== undefined && !(await writeback.prepare(node, data, signal))) {
      this.dropWritten(node);
      return;
    }
    const { uploader } = options;
    const { staging, attempts } = data;
    if (staging === undefined) throw new FsError('EIO', `${node.path}: dirty without content`);
    const snapshot = await takeSnapshot(staging, uploader, { path: node.path, attempts }, signal);
    if (!isWanted(data)) {
      snapshot.release();
      return;
    }
    sent.generation = snapshot.generation;
    if (writeback !== undefined) await writeback.begin(node, data, snapshot);
    const { mtime } = data;
    const pending = pendingOf(data);
    const { path, parent, name } = node;
    let result: UploadResult;
    try {
      const { expect, exclusive } = data;
      const posix = posixOf(node, withKeptMode(node, pending, options, profile));
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
    const more = forgetPending(data, pending) || data.staging?.generation !== snapshot.generation;
    const seen = mtime !== undefined && pending.mtime === undefined && resource.etag !== undefined;
    node.writtenMtime = seen ? { mtime, etag: resource.etag } : undefined;
    if (!more) {
      data.mtime = undefined;
      this.dirty.delete(node, data);
    }
    this.confirmed(node, data, { parent, name }, result);
    writeback?.confirmed(data, snapshot.generation);
    this.background.noteSuccess();
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

  #lose(node: Node): void {
    this.dropWritten(node);
    // What the peer has under the name is another file; whoever has this one open keeps it.
    this.#core.replace(node);
  }
}

interface How {
  readonly signal: AbortSignal;
  readonly durable: boolean;
  /** Is there still something to bring for whoever asked? */
  readonly isWanted: (data: FileData) => boolean;
}

/** What of the staged content was sent. */
interface Sent {
  generation: number | undefined;
}

function isDirty({ dirty }: FileData): boolean {
  return dirty;
}

/** Closes what a node's content held. */
export function disposeData(data: FileData): void {
  data.stream?.abandon();
  data.reader?.close();
  data.reader = undefined;
  void data.staging?.close();
  data.staging = undefined;
}
