/**
 * Reading and writing open files: from the reader of the opened version until the first write copies it up into staging.
 */
import type { Resource } from '../webdav/types.js';
import { nowTimespec } from './attributes.js';
import { createBaseContent } from './base-content.js';
import type { ContentReader, FileVersion, StagedFile } from './content.js';
import { chain, NEVER } from './awaitable.js';
import type { Core } from './core.js';
import { isNotFound } from './errno.js';
import { Handle, type FileData } from './file-data.js';
import type { Awaitable, RequestContext, Waiting } from './filesystem.js';
import { FsError } from './filesystem.js';
import { changedSinceOpen, type Handles } from './handles.js';
import type { Node } from './node.js';
import { changes, isWriter, O_APPEND, O_RDONLY } from './open-flags.js';
import { createContentReader, openContent, sameVersion } from './reader/index.js';
import type { Space } from './space.js';
import { createStagedContent } from './staged-content.js';
import { Streams } from './streams.js';
import { partsWay, SMALL_BYTES } from './upload/strategy.js';
import { disposeData, type Uploads } from './uploads.js';

const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

export class Contents {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #handles: Handles;
  readonly streams: Streams;

  readonly #space: Space;

  constructor(core: Core, uploads: Uploads, handles: Handles, space: Space) {
    this.#core = core;
    this.#space = space;
    this.#uploads = uploads;
    this.#handles = handles;
    this.streams = new Streams(core);
  }

  read(
    node: Node,
    fh: number,
    offset: number,
    length: number,
    ctx: RequestContext,
  ): Awaitable<readonly Uint8Array[]> {
    const handle = this.#handles.get(fh);
    const data = node.data!;
    if (data.staging !== undefined) return data.staging.read(offset, length, ctx);
    const { reader } = handle;
    if (reader !== undefined) return reader.read(offset, length, ctx);
    if (offset >= node.resource.size) return [];
    return this.#readerOf(node, data, handle, ctx.signal).then((opened) =>
      opened === undefined
        ? data.staging!.read(offset, length, ctx)
        : opened.read(offset, length, ctx),
    );
  }

  /** The reader for a handle that was opened without one. Undefined: the content was staged meanwhile. */
  async #readerOf(
    node: Node,
    data: FileData,
    handle: Handle,
    signal: AbortSignal,
  ): Promise<ContentReader | undefined> {
    if (node.replaced || data.expect === 'absent') throw changedSinceOpen(node);
    if (data.reader === undefined) {
      const { expect } = data;
      const { reader, version } = await this.fetch(node, node.resource, signal);
      if (data.staging !== undefined) {
        reader.close();
        return undefined;
      }
      if (!sameVersion(version, expect)) {
        reader.close();
        node.resourceAt = -Infinity;
        throw changedSinceOpen(node);
      }
      shareReader(data, reader);
    }
    handle.reader = data.reader;
    return data.reader;
  }

  async fetch(
    node: Node,
    known: Resource | undefined,
    signal: AbortSignal,
  ): Promise<{ reader: ContentReader; version: FileVersion }> {
    const profile = await this.#core.profile(signal);
    try {
      const { options } = this.#core;
      const path = (): string => node.path;
      return await openContent(path, known, profile, options, signal, () => settlingOf(node));
    } catch (error) {
      if (isNotFound(error) && node.parent !== undefined)
        this.#core.recordUnknown(node.parent, node.name);
      throw error;
    }
  }

  write(
    node: Node,
    fh: number,
    offset: number,
    bytes: Uint8Array,
    ctx: RequestContext,
    pages = false,
  ): Awaitable<number> {
    const handle = this.#handles.get(fh);
    const data = node.data!;
    this.checkWritable(node, data, handle);
    const append = (handle.flags & O_APPEND) !== 0 && !pages;
    const put = (staging: StagedFile): Awaitable<number> => {
      const at = append ? staging.size : offset;
      if (at + bytes.length > MAX_OFFSET) throw new FsError('EFBIG');
      const stream = data.stream?.writes(at, bytes.length) === true ? data.stream : undefined;
      const written = this.#change(node, data, () => staging.write(at, bytes));
      return chain(written, () => {
        stream?.wrote();
        return bytes.length;
      });
    };
    const go = (staging: StagedFile): Awaitable<number> => {
      const growth = append ? bytes.length : offset + bytes.length - staging.size;
      return growth <= 0 ? put(staging) : chain(this.#space.take(growth), () => put(staging));
    };
    return chain(this.#stage(node, data, Infinity, ctx), go);
  }

  checkWritable(node: Node, data: FileData, handle: Handle): void {
    if (!isWriter(handle.flags)) throw new FsError('EBADF');
    if (data.lost !== undefined) throw data.lost;
    if (node.replaced) throw changedSinceOpen(node);
  }

  /** An upload that ends while `work` is still on its way had nothing of it: it is dirty afterwards, too. */
  #change(node: Node, data: FileData, work: () => Awaitable<void>): Awaitable<void> {
    this.#changed(node, data);
    return chain(work(), () => {
      if (!data.dirty) this.#changed(node, data);
    });
  }

  #changed(node: Node, data: FileData): void {
    data.mtime = nowTimespec();
    data.pendingMtime = undefined;
    if (!node.unlinked) this.#uploads.dirty.add(node, data);
  }

  /** What is written goes there. The content up to `keep` bytes is in it, or read through it. */
  #stage(node: Node, data: FileData, keep: number, who: Waiting): Awaitable<StagedFile> {
    if (data.staging !== undefined) return data.staging;
    if (data.stagingBusy === undefined && this.#staysAtPeer(data))
      return (data.staging = this.#stageOver(node, data, data.expect));
    // One copy-up for all writers; it goes on when the one who began it is interrupted.
    data.stagingBusy ??= this.#copyUp(node, data, keep).finally(
      () => (data.stagingBusy = undefined),
    );
    return data.stagingBusy.then((staging) => {
      if (who.signal.aborted) throw new FsError('EINTR');
      return staging;
    });
  }

  /** Where parts can be sent, what isn't written needn't come here. */
  #staysAtPeer(data: FileData): data is FileData & { expect: FileVersion } {
    const profile = this.#core.client.knownProfile;
    const { expect, reader } = data;
    if (profile === undefined || expect === 'absent' || expect.etag === undefined) return false;
    const way = partsWay(profile);
    if (way === undefined) return false;
    // What is small is here, or on its way, when it was read; and one request on other servers than our own share.
    return expect.size > SMALL_BYTES || (way === 'extents' && reader === undefined);
  }

  #stageOver(node: Node, data: FileData, version: FileVersion): StagedFile {
    const { options } = this.#core;
    const profile = this.#core.client.knownProfile!;
    const path = (): string => node.path;
    const content = createBaseContent({
      version,
      reader: data.reader,
      open: (of) => createContentReader(path, of, profile, options, () => settlingOf(node)),
      uploading: () => data.upload,
    });
    return createStagedContent(options, { version, content });
  }

  async #copyUp(node: Node, data: FileData, keep: number): Promise<StagedFile> {
    const { expect } = data;
    const size = expect === 'absent' ? 0 : expect.size;
    const staging = createStagedContent(this.#core.options);
    try {
      const recent = expect === 'absent' ? undefined : this.#core.recent.take(node, expect);
      if (recent !== undefined) await staging.write(0, recent.subarray(0, keep));
      else if (Math.min(size, keep) > 0) {
        const handle = new Handle(node.id, O_RDONLY, data.reader);
        const reader = data.reader ?? (await this.#readerOf(node, data, handle, NEVER));
        if (reader === undefined) throw new FsError('EIO', 'two copies at once');
        await reader.copyTo(staging, Math.min(size, keep), NEVER);
      }
      if (node.replaced) throw changedSinceOpen(node);
    } catch (error) {
      await staging.close();
      throw error;
    }
    data.staging = staging;
    return staging;
  }

  truncate(node: Node, data: FileData, size: number): Awaitable<void> {
    if (size > MAX_OFFSET) throw new FsError('EFBIG');
    return chain(this.#stage(node, data, size, { signal: NEVER }), (staging) => {
      data.stream?.abandon();
      if (size === 0) this.streams.watch(node, data, staging);
      return this.#change(node, data, () => staging.truncate(size));
    });
  }

  /** Zeros are what a hole reads as: only growing needs doing. */
  async grow(node: Node, fh: number, size: number, ctx: RequestContext): Promise<void> {
    const data = node.data!;
    this.checkWritable(node, data, this.#handles.get(fh));
    const staging = await this.#stage(node, data, Infinity, ctx);
    if (staging.size >= size) return;
    await this.#space.take(size - staging.size);
    data.stream?.abandon();
    await this.#change(node, data, () => staging.truncate(size));
  }

  /** Makes the content local for those who have it open, before its name goes away. */
  async keepForHandles(node: Node): Promise<void> {
    const { data } = node;
    if (data === undefined || data.handles === 0 || data.lost !== undefined) return;
    data.keeping = true;
    try {
      const staging = await this.#stage(node, data, Infinity, { signal: NEVER });
      await staging.complete({ signal: NEVER });
    } catch (error) {
      // The last of them closed it meanwhile: nobody needs it any more.
      if (node.data === data) throw error;
    } finally {
      data.keeping = false;
      if (node.data !== data) disposeData(data);
    }
  }

  flush(node: Node, fh: number, ctx: RequestContext): Awaitable<void> {
    const handle = this.#handles.get(fh);
    const { data } = node;
    if (data === undefined || !changes(handle.flags)) return undefined;
    if (!data.dirty && data.lost !== undefined) throw data.lost;
    if (!data.dirty || node.unlinked) return undefined;
    const { writeback } = this.#core;
    if (writeback !== undefined) return writeback.commits.commit(node, ctx.signal);
    return this.#uploads.upload(node, ctx.signal);
  }

  /** Before an fsync. */
  checkNotLost(node: Node, fh: number): void {
    const data = node.data!;
    if (data.lost !== undefined) throw data.lost;
    this.#handles.get(fh);
  }
}

/**
 * A change of ours of the file's name, mode or times that is on its way. It isn't while it waits for an upload, or for the content to
 * be kept: whoever reads for those must not wait for it.
 */
function settlingOf({ gate, data }: Node): Promise<void> | undefined {
  return data?.upload !== undefined || data?.keeping === true ? undefined : gate;
}

/** One reader for all handles of a version: the first that was opened. */
export function shareReader(data: FileData, reader: ContentReader): void {
  if (data.reader === undefined) data.reader = reader;
  else reader.close();
}
