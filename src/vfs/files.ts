/**
 * Open files: which version a handle reads, copy-up into staging at the first write, close-to-open revalidation.
 */
import { createStaging } from './staging.js';
import { openContent } from './reader/open-content.js';
import { sameTag, sameVersion, versionOf } from './reader/versions.js';
import { nowTimespec } from './attributes.js';
import type { ContentReader, FileVersion, StagingFile } from './content.js';
import { chain, NEVER, type Core } from './core.js';
import { isNotFound } from './errno.js';
import { FileData, Handle } from './file-data.js';
import type { Awaitable, CreateAnswer, OpenAnswer, RequestContext } from './filesystem.js';
import { FsError } from './filesystem.js';
import type { Node } from './node.js';
import { isWriter, O_APPEND, O_EXCL, O_TRUNC } from './open-flags.js';
import type { Resource } from '../webdav/types.js';
import { disposeData, type Uploads } from './uploads.js';
import { typeOf, S_IFREG, S_IFLNK } from './attributes.js';

/**
 * open(2) asks the peer, whatever is cached; but the answer to a lookup that the same system call has just caused is as good. That
 * answer is younger than this.
 */
const SAME_CALL_MS = 5;
const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

export class Files {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #handles = new Map<number, Handle>();
  #nextFh = 1;

  constructor(core: Core, uploads: Uploads) {
    this.#core = core;
    this.#uploads = uploads;
  }

  // ---- opening

  open(node: Node, flags: number, ctx: RequestContext): Awaitable<OpenAnswer> {
    const type = typeOf(node.resource);
    if (node.isDirectory) throw new FsError('EISDIR');
    if (type === S_IFLNK) throw new FsError('EINVAL', 'a symbolic link is read with readlink');
    if (type !== S_IFREG)
      throw new FsError('ENXIO', `${node.path}: neither a file nor a folder at the peer`);
    if (isWriter(flags)) this.#core.access.check();
    if (node.isLocal || node.unlinked) return this.#openLocal(node, flags);
    return this.#openRemote(node, flags, ctx);
  }

  /** The content is here: nobody need be asked. */
  #openLocal(node: Node, flags: number): Awaitable<OpenAnswer> {
    const { data } = node;
    if (data?.staging === undefined) throw new FsError('ESTALE', 'the file was removed');
    const answer = this.#newHandle(node, data, flags, undefined);
    if (!isWriter(flags) || (flags & O_TRUNC) === 0) return answer;
    return chain(this.#truncate(node, data, 0), () => answer);
  }

  async #openRemote(node: Node, flags: number, ctx: RequestContext): Promise<OpenAnswer> {
    const { signal } = ctx;
    if (isWriter(flags)) await this.#core.access.ensure(await this.#core.profile(signal));
    const truncate = isWriter(flags) && (flags & O_TRUNC) !== 0;
    const inUse = node.data?.staging !== undefined || node.data?.reader !== undefined;
    if (!isWriter(flags) && !inUse && node.pagesEtag === undefined && node.resource.size > 0) {
      return this.#openAndFetch(node, flags, signal);
    }
    if (node.resourceAt < this.#core.now() - SAME_CALL_MS)
      await this.#core.revalidate(node, signal, true);
    if (node.isLocal) return this.#openLocal(node, flags);
    const data = this.#dataOf(node, versionOf(node.resource));
    const answer = this.#newHandle(node, data, flags, undefined);
    if (!truncate) return answer;
    try {
      await this.#truncate(node, data, 0);
    } catch (error) {
      this.release(answer.fh);
      throw error;
    }
    return answer;
  }

  /** The GET that brings the first bytes also tells the version: opening and reading a small file is one request. */
  async #openAndFetch(node: Node, flags: number, signal: AbortSignal): Promise<OpenAnswer> {
    const { reader, version } = await this.#fetch(node, node.resource, signal);
    if (node.isLocal || node.unlinked) {
      reader.close();
      return this.#openLocal(node, flags);
    }
    await this.#adoptVersion(node, version, signal);
    const data = this.#dataOf(node, version);
    shareReader(data, reader);
    return this.#newHandle(node, data, flags, data.reader);
  }

  async #fetch(
    node: Node,
    known: Resource | undefined,
    signal: AbortSignal,
  ): Promise<{ reader: ContentReader; version: FileVersion }> {
    const profile = await this.#core.profile(signal);
    try {
      return await openContent(() => node.path, known, profile, this.#core.options, signal);
    } catch (error) {
      if (isNotFound(error) && node.parent !== undefined)
        this.#core.recordUnknown(node.parent, node.name);
      throw error;
    }
  }

  /** The answer is newer than the attributes: the kernel must not bound reads by the old size. */
  async #adoptVersion(node: Node, version: FileVersion, signal: AbortSignal): Promise<void> {
    if (sameVersion(version, versionOf(node.resource)) && version.size === node.resource.size)
      return;
    await this.#core.revalidate(node, signal, true);
    await this.#core.invalidator?.inode(node.id, 0, 0);
  }

  /** INVARIANT: a clean FileData describes one version; another one begins a new epoch. */
  #dataOf(node: Node, version: FileVersion): FileData {
    const { data } = node;
    if (data === undefined) return (node.data = new FileData(version));
    if (
      data.dirty ||
      (data.expect !== 'absent' && sameVersion(data.expect, version) && data.lost === undefined)
    ) {
      return data;
    }
    data.epoch += 1;
    data.expect = version;
    data.lost = undefined;
    data.mtime = undefined;
    if (data.reader !== undefined) data.formerReaders.push(data.reader);
    data.reader = undefined;
    void data.staging?.close();
    data.staging = undefined;
    return data;
  }

  #newHandle(
    node: Node,
    data: FileData,
    flags: number,
    reader: ContentReader | undefined,
  ): OpenAnswer {
    const fh = this.#nextFh++;
    this.#handles.set(fh, new Handle(node.id, flags, data.epoch, reader));
    data.handles += 1;
    const etag = data.expect === 'absent' ? undefined : data.expect.etag;
    const keepCache = data.dirty || (node.pagesEtag !== undefined && sameTag(node.pagesEtag, etag));
    node.pagesEtag = etag;
    return { fh, keepCache, directIo: false };
  }

  // ---- creating

  /** A file that is only here until its first flush. REQUIRES: the name is valid and was not there a moment ago. */
  async create(
    parent: Node,
    name: string,
    mode: number,
    flags: number,
    ctx: RequestContext,
  ): Promise<CreateAnswer> {
    const existing = await this.#existing(parent, name, (flags & O_EXCL) !== 0, ctx.signal);
    if (existing !== null) {
      if ((flags & O_EXCL) !== 0) throw new FsError('EEXIST');
      const answer = await this.open(existing, flags, ctx);
      return { ...answer, entry: this.#core.entry(existing) };
    }
    const node = await this.newFile(parent, name, mode, ctx.signal);
    const answer = this.#newHandle(node, node.data!, flags, undefined);
    return { ...answer, entry: this.#core.entry(node) };
  }

  /** The exclusive promise is about everybody's files, so the peer is asked even where the cache says "no such name". */
  #existing(
    parent: Node,
    name: string,
    exclusive: boolean,
    signal: AbortSignal,
  ): Awaitable<Node | null> {
    if (!exclusive) return this.#core.child(parent, name, signal);
    const live = parent.children.get(name);
    if (live?.isLocal === true) return live;
    const cached = this.#core.cache.find(parent.id, name, this.#core.now() - SAME_CALL_MS);
    if (cached !== undefined && cached.resource === undefined) return null;
    return this.#core.statChild(parent, name, signal);
  }

  async newFile(parent: Node, name: string, mode: number, signal: AbortSignal): Promise<Node> {
    const profile = await this.#core.profile(signal);
    await this.#core.access.ensure(profile);
    const staging = createStaging(this.#core.options);
    const rival = parent.children.get(name);
    if (rival?.isLocal === true) {
      await staging.close();
      throw new FsError('EEXIST');
    }
    if (rival !== undefined) this.#core.nodes.detach(rival);
    const now = nowTimespec();
    const node = this.#core.nodes.create(parent, name, newResource(name, now), this.#core.now());
    const data = new FileData('absent');
    data.staging = staging;
    data.mtime = now;
    // The mode of open(2) is stored where that costs nothing, or where it lets the file be executed.
    if (
      profile.livePosix ||
      ((mode & 0o111) !== 0 && (profile.deadProperties || profile.setsExecutable))
    ) {
      data.pendingMode = mode & 0o7777;
    }
    node.data = data;
    this.#uploads.markDirty(node, data);
    this.#core.noteChange(parent, name);
    return node;
  }

  // ---- reading and writing

  handle(fh: number): Handle {
    const handle = this.#handles.get(fh);
    if (handle === undefined) throw new FsError('EBADF');
    return handle;
  }

  read(
    node: Node,
    fh: number,
    offset: number,
    length: number,
    ctx: RequestContext,
  ): Awaitable<readonly Uint8Array[]> {
    const handle = this.handle(fh);
    const data = node.data!;
    if (handle.epoch === data.epoch && data.staging !== undefined)
      return data.staging.read(offset, length);
    const { reader } = handle;
    if (reader !== undefined) return reader.read(offset, length, ctx.signal);
    if (offset >= node.resource.size && handle.epoch === data.epoch) return [];
    return this.#readerOf(node, data, handle, ctx.signal).then((opened) =>
      opened === undefined
        ? data.staging!.read(offset, length)
        : opened.read(offset, length, ctx.signal),
    );
  }

  /** The reader for a handle that was opened without one. Undefined: the content was staged meanwhile. */
  async #readerOf(
    node: Node,
    data: FileData,
    handle: Handle,
    signal: AbortSignal,
  ): Promise<ContentReader | undefined> {
    if (handle.epoch !== data.epoch || data.expect === 'absent') throw new FsError('ESTALE');
    if (data.reader === undefined) {
      const { expect } = data;
      const { reader, version } = await this.#fetch(node, node.resource, signal);
      if (data.staging !== undefined && handle.epoch === data.epoch) {
        reader.close();
        return undefined;
      }
      if (handle.epoch !== data.epoch || !sameVersion(version, expect)) {
        reader.close();
        node.resourceAt = -Infinity;
        throw new FsError('ESTALE', `${node.path} was changed at the peer since it was opened`);
      }
      shareReader(data, reader);
    }
    handle.reader = data.reader;
    return data.reader;
  }

  write(
    node: Node,
    fh: number,
    offset: number,
    bytes: Uint8Array,
    ctx: RequestContext,
  ): Awaitable<number> {
    const handle = this.handle(fh);
    const data = node.data!;
    this.#checkWritable(node, data, handle);
    const append = (handle.flags & O_APPEND) !== 0;
    const go = (staging: StagingFile): Awaitable<number> => {
      const at = append ? staging.size : offset;
      if (at + bytes.length > MAX_OFFSET) throw new FsError('EFBIG');
      this.#changed(node, data);
      return chain(staging.write(at, bytes), () => bytes.length);
    };
    return chain(this.#stage(node, data, Infinity, ctx.signal), go);
  }

  #checkWritable(node: Node, data: FileData, handle: Handle): void {
    if (!isWriter(handle.flags)) throw new FsError('EBADF');
    if (data.lost !== undefined) throw data.lost;
    if (handle.epoch !== data.epoch) {
      throw new FsError('ESTALE', `${node.path} was changed at the peer since it was opened`);
    }
  }

  #changed(node: Node, data: FileData): void {
    data.mtime = nowTimespec();
    data.pendingMtime = undefined;
    if (!node.unlinked) this.#uploads.markDirty(node, data);
  }

  /** The staging file with the content up to `keep` bytes in it. */
  #stage(node: Node, data: FileData, keep: number, signal: AbortSignal): Awaitable<StagingFile> {
    if (data.staging !== undefined) return data.staging;
    // One copy-up for all writers; it goes on when the one who began it is interrupted.
    data.stagingBusy ??= this.#copyUp(node, data, keep).finally(
      () => (data.stagingBusy = undefined),
    );
    return data.stagingBusy.then((staging) => {
      if (signal.aborted) throw new FsError('EINTR');
      return staging;
    });
  }

  async #copyUp(node: Node, data: FileData, keep: number): Promise<StagingFile> {
    const { expect, epoch } = data;
    const size = expect === 'absent' ? 0 : expect.size;
    const staging = createStaging(this.#core.options);
    try {
      if (Math.min(size, keep) > 0) {
        const handle = new Handle(node.id, 0, epoch, data.reader);
        const reader = data.reader ?? (await this.#readerOf(node, data, handle, NEVER));
        if (reader === undefined) throw new FsError('EIO', 'two copies at once');
        await reader.copyTo(staging, Math.min(size, keep), NEVER);
      }
      if (data.epoch !== epoch) throw new FsError('ESTALE');
    } catch (error) {
      await staging.close();
      throw error;
    }
    data.staging = staging;
    return staging;
  }

  #truncate(node: Node, data: FileData, size: number): Awaitable<void> {
    if (size > MAX_OFFSET) throw new FsError('EFBIG');
    return chain(this.#stage(node, data, size, NEVER), (staging) => {
      this.#changed(node, data);
      return staging.truncate(size);
    });
  }

  /** ftruncate on a handle: staged. truncate on a path: stored at once, unless a writer will do that at its close. */
  async truncate(
    node: Node,
    size: number,
    fh: number | undefined,
    ctx: RequestContext,
  ): Promise<void> {
    this.#core.access.check();
    if (fh !== undefined) {
      const data = node.data!;
      this.#checkWritable(node, data, this.handle(fh));
      await this.#truncate(node, data, size);
      return;
    }
    const answer = await this.open(node, 1 | (size === 0 ? O_TRUNC : 0), ctx);
    const data = node.data!;
    try {
      if (size > 0) await this.#truncate(node, data, size);
      if (data.handles === 1) await this.#uploads.upload(node, ctx.signal);
    } finally {
      this.release(answer.fh);
    }
  }

  /** Zeros are what a hole reads as: only growing needs doing. */
  async grow(node: Node, fh: number, size: number, ctx: RequestContext): Promise<void> {
    const data = node.data!;
    this.#checkWritable(node, data, this.handle(fh));
    const staging = await this.#stage(node, data, Infinity, ctx.signal);
    if (staging.size >= size) return;
    this.#changed(node, data);
    await staging.truncate(size);
  }

  /** Makes the content local for those who have it open, before its name goes away. */
  async keepForHandles(node: Node): Promise<void> {
    const { data } = node;
    if (
      data === undefined ||
      data.handles === 0 ||
      data.staging !== undefined ||
      data.lost !== undefined
    )
      return;
    await this.#stage(node, data, Infinity, NEVER);
  }

  // ---- closing

  flush(node: Node, fh: number, ctx: RequestContext): Awaitable<void> {
    const handle = this.handle(fh);
    if (node.data?.dirty !== true || node.unlinked || !isWriter(handle.flags)) return undefined;
    return this.#uploads.upload(node, ctx.signal);
  }

  fsync(node: Node, fh: number, ctx: RequestContext): Awaitable<void> {
    const data = node.data!;
    if (data.lost !== undefined) throw data.lost;
    this.handle(fh);
    if (!data.dirty || node.unlinked) return undefined;
    return this.#uploads.upload(node, ctx.signal);
  }

  release(fh: number): void {
    const handle = this.#handles.get(fh);
    if (handle === undefined) return;
    this.#handles.delete(fh);
    const node = this.#core.nodes.get(handle.nodeId);
    const data = node?.data;
    if (node === undefined || data === undefined) return;
    data.handles -= 1;
    if (data.handles > 0) return;
    if (data.dirty && !node.unlinked) {
      // Pages of a mapping written back after close(2), or an upload that failed: nobody waits for it any more.
      this.#uploads.uploadInBackground(node);
      return;
    }
    this.#uploads.discard(node);
    this.dispose(node);
  }

  /** Nothing needs the content any more. REQUIRES: no open handle. */
  dispose(node: Node): void {
    const { data } = node;
    if (data === undefined) return;
    node.data = undefined;
    disposeData(data);
    this.#core.nodes.dropIfUnused(node);
  }

  get openHandles(): number {
    return this.#handles.size;
  }
}

/** One reader for all handles of a version: the first that was opened. */
function shareReader(data: FileData, reader: ContentReader): void {
  if (data.reader === undefined) data.reader = reader;
  else reader.close();
}

function newResource(name: string, now: { sec: number; nsec: number }): Resource {
  return {
    name,
    kind: 'file',
    size: 0,
    mtime: now,
    created: now,
    etag: undefined,
    executable: undefined,
    posix: undefined,
  };
}
