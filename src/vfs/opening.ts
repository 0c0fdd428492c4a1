/**
 * Opening and creating files: close-to-open revalidation, exclusive creation, truncation by path.
 */
import type { Resource } from '../webdav/types.js';
import { nowTimespec, S_IFLNK, S_IFREG, typeOf } from './attributes.js';
import type { FileVersion } from './content.js';
import { shareReader, type Contents } from './contents.js';
import { ContentsAhead } from './contents-ahead.js';
import { chain } from './awaitable.js';
import type { Core } from './core.js';
import { isNotFound, toFsError } from './errno.js';
import { FileData } from './file-data.js';
import { giveFirstPages } from './first-pages.js';
import type { Awaitable, CreateAnswer, OpenAnswer, RequestContext } from './filesystem.js';
import { FsError } from './filesystem.js';
import { changedSinceOpen, type Handles } from './handles.js';
import type { Node } from './node.js';
import { changes, O_EXCL, O_TRUNC, O_WRONLY } from './open-flags.js';
import { ContentSource } from './reader/content-source.js';
import { FetchedContent } from './reader/fetched-content.js';
import { sameVersion, versionOf } from './reader/versions.js';
import { withSignal } from './shared-call.js';
import { createStagedContent } from './staged-content.js';
import type { Uploads } from './uploads.js';

/**
 * open(2) asks the peer, whatever is cached; but the answer to a lookup that the same system call has just caused is as good. That
 * answer is younger than this.
 */
const SAME_CALL_MS = 5;
/** As above for O_EXCL. Longer, because the upload makes sure again: it replaces nothing, and fails with EEXIST. */
const SAME_CREATE_MS = 50;

/** Larger files may be opened to be copied by the peer; for those who read them, one question more is little. */
const FETCHED_AT_OPEN_BYTES = 8 * 1024 * 1024;

export class Opening {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #handles: Handles;
  readonly #contents: Contents;
  readonly #ahead: ContentsAhead;

  constructor(core: Core, uploads: Uploads, handles: Handles, contents: Contents) {
    this.#core = core;
    this.#uploads = uploads;
    this.#handles = handles;
    this.#contents = contents;
    this.#ahead = new ContentsAhead(core);
  }

  open(node: Node, flags: number, ctx: RequestContext): Awaitable<OpenAnswer> {
    const type = typeOf(node.resource);
    if (node.isDirectory) throw new FsError('EISDIR');
    if (type === S_IFLNK) throw new FsError('EINVAL', 'a symbolic link is read with readlink');
    if (type !== S_IFREG)
      throw new FsError('ENXIO', `${node.path}: neither a file nor a folder at the peer`);
    if (changes(flags)) this.#core.access.check();
    if (node.isLocal || node.unlinked) return this.#openLocal(node, flags);
    // Of a name that is gone by now ENOENT would be the end, also for who wants it made (O_CREAT): after ESTALE the kernel looks again.
    const remote = (): Promise<OpenAnswer> =>
      this.#openRemote(node, flags, ctx).catch((error: unknown) => {
        throw toFsError(error).errno === 'ENOENT' ? changedSinceOpen(node) : error;
      });
    const { parent, name } = node;
    return parent === undefined ? remote() : this.#core.secondTries.watch(parent, name, remote);
  }

  /** The content is here: nobody need be asked. */
  #openLocal(node: Node, flags: number): Awaitable<OpenAnswer> {
    const { data, parent, name } = node;
    if (data?.staging === undefined) {
      if (parent !== undefined) this.#core.secondTries.expect(parent, name);
      throw new FsError('ESTALE', 'the file was removed');
    }
    const answer = this.#handles.add(node, data, flags, undefined);
    if ((flags & O_TRUNC) === 0) return answer;
    return chain(this.#contents.truncate(node, data, 0), () => answer);
  }

  async #openRemote(node: Node, flags: number, ctx: RequestContext): Promise<OpenAnswer> {
    const { signal } = ctx;
    await this.#settled(node);
    if (changes(flags)) await this.#core.access.ensure(await this.#core.profile(signal));
    const truncate = (flags & O_TRUNC) !== 0;
    const inUse = node.data?.staging !== undefined || node.data?.reader !== undefined;
    const unread = !inUse && node.pagesEtag === undefined;
    const { size } = node.resource;
    if (!changes(flags) && unread && size > 0 && size <= FETCHED_AT_OPEN_BYTES) {
      const bytes = await withSignal(this.#ahead.take(node), signal);
      return (
        (bytes && (await this.#openFetched(node, flags, bytes, signal))) ??
        this.#openAndFetch(node, flags, signal)
      );
    }
    do {
      await this.#settled(node);
      if (!(await this.#isKnown(node, signal)))
        await this.#core.lookups.revalidate(node, signal, true);
      if (node.isLocal) return this.#openLocal(node, flags);
      await this.#core.answers.tellKernel(node);
      // Whoever removes or replaces the name keeps the content for the handles that there are when it begins.
    } while (node.gate !== undefined);
    const data = this.#handles.dataOf(node, versionOf(node.resource));
    const answer = this.#handles.add(node, data, flags, undefined);
    if (!truncate) return answer;
    try {
      await this.#contents.truncate(node, data, 0);
    } catch (error) {
      this.#handles.release(answer.fh);
      throw error;
    }
    return answer;
  }

  #isKnown(node: Node, signal: AbortSignal): Awaitable<boolean> {
    if (node.resourceAt >= this.#core.now() - SAME_CALL_MS) return true;
    if (!this.#core.options.closeToOpen) return this.#core.isFresh(node);
    return withSignal(this.#core.watch.isCurrent(node), signal);
  }

  /** Of what was fetched ahead. Undefined: it is not, or not for sure, what the peer has now. */
  async #openFetched(
    node: Node,
    flags: number,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<OpenAnswer | undefined> {
    const version = versionOf(node.resource);
    if (!(await this.#isKnown(node, signal)) || node.isLocal || node.unlinked) return undefined;
    if (!sameVersion(version, versionOf(node.resource)) || node.gate !== undefined)
      return undefined;
    await this.#core.answers.tellKernel(node);
    const data = this.#handles.dataOf(node, version);
    const { options } = this.#core;
    const path = (): string => node.path;
    const source = new ContentSource(options, path, version, () => node.gate);
    shareReader(data, new FetchedContent(source, bytes, options));
    options.contents?.keep(node.path, version, bytes);
    return this.#addReader(node, data, flags);
  }

  /** The GET that brings the first bytes also tells the version: opening and reading a small file is one request. */
  async #openAndFetch(node: Node, flags: number, signal: AbortSignal): Promise<OpenAnswer> {
    const { reader, version } = await this.#fetch(node, signal);
    if (node.isLocal || node.unlinked) {
      reader.close();
      return this.#openLocal(node, flags);
    }
    try {
      await this.#adoptVersion(node, version, signal);
    } catch (error) {
      reader.close();
      throw error;
    }
    const data = this.#handles.dataOf(node, version);
    shareReader(data, reader);
    return this.#addReader(node, data, flags);
  }

  /** Not found may mean that the name is just being replaced: another try then meets the new file. */
  async #fetch(node: Node, signal: AbortSignal): ReturnType<Contents['fetch']> {
    try {
      return await this.#contents.fetch(node, node.resource, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const changing = node.gate !== undefined;
      await this.#settled(node);
      throw changing ? changedSinceOpen(node) : error;
    }
  }

  #addReader(node: Node, data: FileData, flags: number): OpenAnswer {
    if (giveFirstPages(this.#core, node, data)) node.pagesEtag = data.reader?.version.etag;
    return this.#handles.add(node, data, flags, data.reader);
  }

  /** The GET's answer may be newer than the attributes. */
  async #adoptVersion(node: Node, version: FileVersion, signal: AbortSignal): Promise<void> {
    if (!sameVersion(version, versionOf(node.resource)))
      await this.#core.lookups.revalidate(node, signal, true);
    do {
      await this.#settled(node);
      if (!sameVersion(version, versionOf(node.resource))) throw changedSinceOpen(node);
      await this.#core.answers.tellKernel(node);
    } while (node.gate !== undefined);
  }

  /** While the name is being replaced or removed nobody can say which file is opened by it. */
  async #settled(node: Node): Promise<void> {
    while (node.gate !== undefined) await node.gate;
    if (node.unlinked) throw changedSinceOpen(node);
  }

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
      return { ...answer, entry: this.#core.answers.entry(existing) };
    }
    const node = await this.newFile(parent, name, mode, ctx.signal);
    node.data!.exclusive = (flags & O_EXCL) !== 0;
    const answer = this.#handles.add(node, node.data!, flags, undefined);
    return { ...answer, entry: this.#core.answers.entry(node) };
  }

  /** The exclusive promise is about everybody's files, so the peer is asked even where the cache says "no such name". */
  #existing(
    parent: Node,
    name: string,
    exclusive: boolean,
    signal: AbortSignal,
  ): Awaitable<Node | null> {
    if (!exclusive) return this.#core.lookups.child(parent, name, { signal });
    const live = parent.children.get(name);
    if (live?.isLocal === true) return live;
    if (this.#core.writeback?.accepts === true) {
      // The content comes there later in any case, and replaces nothing then.
      const known = this.#core.lookups.known(parent, name);
      if (known !== undefined) return known;
    }
    const cached = this.#core.cache.find(parent.id, name, this.#core.now() - SAME_CREATE_MS);
    if (cached !== undefined && cached.resource === undefined) return null;
    return this.#askExisting(parent, name, signal);
  }

  async #askExisting(parent: Node, name: string, signal: AbortSignal): Promise<Node | null> {
    if (await withSignal(this.#core.watch.isAbsent(parent, name), signal)) return null;
    return this.#core.lookups.askChild(parent, name, signal);
  }

  async newFile(parent: Node, name: string, mode: number, signal: AbortSignal): Promise<Node> {
    const profile = await this.#core.profile(signal);
    await this.#core.access.ensure(profile);
    const staging = createStagedContent(this.#core.options);
    const rival = parent.children.get(name);
    if (rival?.isLocal === true) {
      await staging.close();
      throw new FsError('EEXIST');
    }
    if (rival !== undefined) this.#core.nodes.removeName(rival, parent, name);
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
    this.#contents.streams.watch(node, data, staging);
    this.#uploads.dirty.add(node, data);
    this.#core.noteChange(parent, name);
    return node;
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
      this.#contents.checkWritable(node, data, this.#handles.get(fh));
      await this.#contents.truncate(node, data, size);
      return;
    }
    const answer = await this.open(node, O_WRONLY | (size === 0 ? O_TRUNC : 0), ctx);
    const data = node.data!;
    try {
      if (size > 0) await this.#contents.truncate(node, data, size);
      if (data.writers === 1) await this.#uploads.upload(node, ctx.signal);
    } finally {
      this.#handles.release(answer.fh);
    }
  }
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
