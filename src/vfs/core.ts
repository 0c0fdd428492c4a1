/**
 * What the operations share: nodes, caches, the client, and the one way each kind of question is put to the peer.
 */
import { performance } from 'node:perf_hooks';
import { encodeName } from '../names.js';
import type { Logger } from '../log.js';
import type { Listing, Resource, ServerProfile, WebDavClient } from '../webdav/types.js';
import { sameTag, sameVersion, versionOf } from './reader/versions.js';
import { isUploadName } from '../webdav/hidden-names.js';
import type { OwnerOptions } from './attributes.js';
import { attributesOf, nowTimespec, typeOf } from './attributes.js';
import type { DataOptions, Uploader } from './content.js';
import { isNotFound } from './errno.js';
import type {
  Attributes,
  AttributesAnswer,
  Awaitable,
  Entry,
  Invalidator,
  RequestContext,
} from './filesystem.js';
import { FsError } from './filesystem.js';
import { NameCache } from './name-cache.js';
import { NodeTable, type Node } from './node.js';
import { SharedCalls } from './shared-call.js';
import { WriteAccess } from './write-access.js';

export interface CoreOptions extends DataOptions, OwnerOptions {
  readonly client: WebDavClient;
  readonly log: Logger;
  readonly uploader: Uploader;
  readonly readOnly: boolean;
  /** How long an answer of the peer may be used. */
  readonly attrTtlMs: number;
  readonly negativeTtlMs: number;
  readonly maxNames: number;
  readonly maxListed: number;
  /** Monotonic clock, ms. */
  readonly now: () => number;
}

export const CORE_DEFAULTS = {
  readOnly: false,
  attrTtlMs: 1000,
  negativeTtlMs: 1000,
  maxNames: 100_000,
  maxListed: 1_000_000,
  now: (): number => performance.now(),
} as const;

const NAME_MAX_BYTES = 255;
/** No upload takes a day; the clocks of both sides may differ by hours. */
const LEFTOVER_SECONDS = 86_400;
/** Single questions within one directory before a listing is asked instead: 2, more where the listing is known to be long. */
const MISSES_BEFORE_LISTING = 2;
const ENTRIES_PER_MISS = 100;

export class Core {
  readonly options: CoreOptions;
  readonly client: WebDavClient;
  readonly log: Logger;
  readonly nodes = new NodeTable();
  readonly cache: NameCache;
  readonly calls = new SharedCalls<string>();
  readonly access: WriteAccess;
  invalidator: Invalidator | undefined;
  /** Counts our own changes of names. */
  #sequence = 0;

  constructor(options: CoreOptions) {
    this.options = options;
    this.client = options.client;
    this.log = options.log;
    this.cache = new NameCache(options);
    this.access = new WriteAccess(options.client, options.readOnly);
  }

  now(): number {
    return this.options.now();
  }

  /** The profile, synchronously once it is known. */
  profile(signal: AbortSignal): Awaitable<ServerProfile> {
    return this.client.knownProfile ?? this.client.profile({ signal });
  }

  node(id: number): Node {
    const node = this.nodes.get(id);
    if (node === undefined) throw new FsError('ESTALE', `unknown node ${id}`);
    return node;
  }

  directory(id: number): Node {
    const node = this.node(id);
    if (!node.isDirectory) throw new FsError('ENOTDIR');
    return node;
  }

  /** A name that may be made or looked for. */
  checkName(name: string): void {
    if (name.length * 3 > NAME_MAX_BYTES && encodeName(name).length > NAME_MAX_BYTES) {
      throw new FsError('ENAMETOOLONG');
    }
  }

  checkNewName(name: string): void {
    this.access.check();
    this.checkName(name);
    if (isUploadName(name))
      throw new FsError('EPERM', `${name}: names of this form are reserved for uploads`);
  }

  attributes(node: Node): Attributes {
    return attributesOf(node, this.options, this.client.knownProfile);
  }

  /** Attributes that the kernel will remember. */
  answer(node: Node): AttributesAnswer {
    node.told = node.resource;
    return { attributes: this.attributes(node), attrTimeoutMs: this.timeLeftMs(node) };
  }

  /**
   * Before an open is answered: what the kernel remembers may be of an older version than the one that is opened, and it would end
   * reads at the old size.
   */
  async tellKernel(node: Node): Promise<void> {
    const { told, resource } = node;
    if (told === undefined || sameVersion(versionOf(told), versionOf(resource))) return;
    node.told = resource;
    await this.invalidator?.inode(node.id, 0, 0);
  }

  isFresh(node: Node): boolean {
    return node.isLocal || node.unlinked || node.resourceAt > this.now() - this.options.attrTtlMs;
  }

  /** Milliseconds for which the kernel may use what we know of the node. */
  timeLeftMs(node: Node): number {
    if (node.isLocal) return this.options.attrTtlMs;
    return Math.max(
      0,
      Math.min(this.options.attrTtlMs, node.resourceAt + this.options.attrTtlMs - this.now()),
    );
  }

  /** Counts one kernel reference. */
  entry(node: Node): Entry {
    node.lookups += 1;
    const answer = this.answer(node);
    return { nodeId: node.id, ...answer, entryTimeoutMs: answer.attrTimeoutMs };
  }

  noEntry(at: number): Entry {
    const left = Math.max(0, at + this.options.negativeTtlMs - this.now());
    return { nodeId: 0, attributes: NO_ATTRIBUTES, entryTimeoutMs: left, attrTimeoutMs: 0 };
  }

  /** The child of that name if something is known here that the peer need not be asked for. Undefined: ask. Null: no such name. */
  known(parent: Node, name: string): Node | null | undefined {
    const live = parent.children.get(name);
    if (live?.isLocal === true) return live;
    const ttl = Math.max(this.options.attrTtlMs, this.options.negativeTtlMs);
    const cached = this.cache.find(parent.id, name, this.now() - ttl);
    if (cached === undefined) return live !== undefined && this.isFresh(live) ? live : undefined;
    if (live !== undefined && live.resourceAt > cached.at)
      return this.isFresh(live) ? live : undefined;
    const age = this.now() - cached.at;
    if (cached.resource === undefined) return age < this.options.negativeTtlMs ? null : undefined;
    return age < this.options.attrTtlMs
      ? this.adopt(parent, name, cached.resource, cached.at)
      : undefined;
  }

  /** The child of that name, from the cache or the peer. */
  child(parent: Node, name: string, signal: AbortSignal): Awaitable<Node | null> {
    const known = this.known(parent, name);
    return known !== undefined ? known : this.askChild(parent, name, signal);
  }

  /** As `child`, never from the cache (but local files are what they are). */
  async askChild(parent: Node, name: string, signal: AbortSignal): Promise<Node | null> {
    if (this.#listingPays(parent)) {
      await this.list(parent, signal);
      const known = this.known(parent, name);
      if (known !== undefined) return known;
    }
    return this.statChild(parent, name, signal);
  }

  async statChild(parent: Node, name: string, signal: AbortSignal): Promise<Node | null> {
    for (;;) {
      const before = parent.changes.last(name);
      const path = `${parent.path}/${name}`;
      // Joins only a question that was asked after our last change of the name.
      const resource = await this.#ask(path, `stat ${before} ${path}`, signal);
      const live = parent.children.get(name);
      if (live?.isLocal === true) return live;
      // Our own change overtook the question: the answer may be of before or after it.
      if (parent.changes.last(name) !== before) continue;
      const at = this.now();
      this.cache.put(parent.id, name, resource, at);
      if (resource !== undefined) return this.adopt(parent, name, resource, at);
      if (live !== undefined && live.data !== undefined && live.gate === undefined)
        this.replace(live);
      return null;
    }
  }

  /** Attributes of a node that are not older than they may be. */
  refresh(node: Node, signal: AbortSignal): Awaitable<void> {
    return this.isFresh(node) ? undefined : this.revalidate(node, signal);
  }

  /** Asks the peer about a node. Fails with ESTALE when its name is gone or something else. */
  async revalidate(node: Node, signal: AbortSignal, alone = false): Promise<void> {
    if (this.#isOurs(node)) return;
    if (node.parent === undefined) {
      const resource = await this.#ask('', 'stat', signal);
      if (resource?.kind !== 'collection') throw new FsError('ESTALE', 'the shared folder is gone');
      node.resource = resource;
      node.resourceAt = this.now();
      return;
    }
    const { parent, name } = node;
    const now = alone
      ? await this.statChild(parent, name, signal)
      : await this.askChild(parent, name, signal);
    // A rename of ours may have come in between; its new name was told then.
    const renamed = parent !== node.parent || name !== node.name;
    if (now !== node && !renamed && !this.#isOurs(node)) {
      throw new FsError(now === null ? 'ENOENT' : 'ESTALE', `${node.path} is gone`);
    }
  }

  /** The peer can't tell about it. */
  #isOurs(node: Node): boolean {
    return node.isLocal || node.unlinked;
  }

  /** Members of a directory, cached or asked. */
  listing(directory: Node, signal: AbortSignal): Awaitable<ReadonlyMap<string, Resource>> {
    const cached = this.cache.listing(directory.id, this.now() - this.options.attrTtlMs);
    return cached !== undefined ? cached.members : this.list(directory, signal);
  }

  /** Asks for the members and remembers them. */
  list(directory: Node, signal: AbortSignal): Promise<ReadonlyMap<string, Resource>> {
    return this.calls.run(`list ${directory.id}`, signal, (shared) =>
      this.#list(directory, shared),
    );
  }

  async #list(directory: Node, signal: AbortSignal): Promise<ReadonlyMap<string, Resource>> {
    await this.profile(signal);
    const before = this.#sequence;
    const selfBefore = directory.parent?.changes.last(directory.name);
    const answer = await this.client.list(directory.path, { signal });
    const members = new Map(answer.members.map((member) => [member.name, member]));
    const selfChanged = selfBefore !== directory.parent?.changes.last(directory.name);
    if (answer.self?.kind === 'collection' && !selfChanged && directory.gate === undefined) {
      directory.resource = answer.self;
      directory.resourceAt = this.now();
    }
    if (this.#mergeOwn(directory, members, before)) this.#remember(directory, answer, members);
    return members;
  }

  /** What we changed while the listing was on its way is known better here. False: not for all names. */
  #mergeOwn(directory: Node, members: Map<string, Resource>, before: number): boolean {
    const changed = directory.changes.since(before);
    if (changed === undefined) return false;
    let complete = true;
    for (const name of changed) {
      if (directory.children.get(name)?.isLocal === true) continue;
      const own = this.cache.single(directory.id, name);
      if (own === undefined) complete = false;
      else if (own.resource === undefined) members.delete(name);
      else members.set(name, own.resource);
    }
    return complete;
  }

  /** Nobody else will remove what a client that died in the middle of an upload has left. */
  #sweep(directory: Node, uploads: readonly Resource[]): void {
    const limit = Date.now() / 1000 - LEFTOVER_SECONDS;
    for (const { name, mtime } of uploads) {
      if (mtime === undefined || mtime.sec > limit || !this.access.allowed) continue;
      const path = `${directory.path}/${name}`;
      this.client.remove(path).then(
        () => this.log.info('removed an old unfinished upload', { path }),
        (error: unknown) =>
          this.log.debug('an old unfinished upload stays', { path, error: String(error) }),
      );
    }
  }

  #remember(directory: Node, answer: Listing, members: Map<string, Resource>): void {
    const at = this.now();
    directory.misses = 0;
    this.cache.putListing(directory.id, members, at);
    this.#sweep(directory, answer.uploads);
    for (const [name, child] of directory.children) {
      const resource = members.get(name);
      if (resource !== undefined && !child.isLocal) this.adopt(directory, name, resource, at);
    }
  }

  /** The node for what the peer has under a name. A resource of another type is another node: the old one is detached. */
  adopt(parent: Node, name: string, resource: Resource, at: number): Node {
    const live = parent.children.get(name);
    if (live !== undefined && !live.isLocal) {
      // A change of ours is on its way: what the peer tells now may be of before or after it.
      if (live.gate !== undefined || at < live.resourceAt) return live;
      if (typeOf(live.resource) === typeOf(resource) && !isOtherVersion(live, resource)) {
        this.update(live, resource, at);
        return live;
      }
      this.replace(live);
    } else if (live !== undefined) {
      return live;
    }
    return this.nodes.create(parent, name, resource, at);
  }

  /**
   * The peer has something else under the name. Whoever has this one open keeps it, as one keeps a file that was replaced by rename:
   * reads are of the version that was opened or fail with ESTALE, and its size doesn't change under them.
   */
  replace(node: Node): void {
    node.replaced = true;
    this.nodes.detach(node);
  }

  /** New attributes from the peer. */
  update(node: Node, resource: Resource, at: number): void {
    const former = node.resource;
    node.resource = resource;
    node.resourceAt = at;
    if (node.pagesEtag === undefined || sameTag(node.pagesEtag, resource.etag)) return;
    node.pagesEtag = undefined;
    // The kernel drops its pages by itself when size or mtime change; another version with the same of both it can't see.
    if (former.size === resource.size) void this.invalidator?.inode(node.id, 0, 0);
  }

  /** Answers on the way about this name must not be believed. */
  noteChange(parent: Node, name: string): void {
    parent.changes.note(name, ++this.#sequence);
  }

  /**
   * After we changed what is around the content (name, mode, times): where the ETag counts the inode's change time it is another one
   * now. `told` is what the answer said of it, else the peer is asked.
   */
  async sameContent(node: Node, told: Resource | undefined, signal: AbortSignal): Promise<void> {
    const { parent, name, data, pagesEtag, writtenMtime } = node;
    const former = node.resource;
    if (parent !== undefined) this.noteChange(parent, name);
    const resource = told ?? (await this.client.stat(node.path, { signal }));
    node.resource = { ...resource, name };
    node.resourceAt = this.now();
    if (parent !== undefined) this.cache.put(parent.id, name, node.resource, node.resourceAt);
    if (resource.size !== former.size || node.data !== data) return;
    const same = (etag: string | undefined): boolean => sameTag(etag, former.etag);
    if (pagesEtag !== undefined && same(pagesEtag)) node.pagesEtag = resource.etag;
    if (writtenMtime !== undefined && node.writtenMtime !== undefined && same(writtenMtime.etag)) {
      node.writtenMtime = { ...writtenMtime, etag: resource.etag };
    }
    if (data === undefined || data.dirty || data.expect === 'absent') return;
    if (same(data.expect.etag)) data.expect = versionOf(resource);
  }

  /** A name was made, replaced or removed by us. */
  recordOwn(parent: Node, name: string, resource: Resource | undefined): void {
    this.noteChange(parent, name);
    this.#touch(parent);
    this.cache.put(parent.id, name, resource, this.now());
  }

  /** The peer has set the folder's time by now; programs that restore it (rsync, tar) look at it first. */
  #touch(directory: Node): void {
    const { resource } = directory;
    // A time that was stored as a property stays what it is.
    if (resource.posix?.mtime !== undefined && this.client.knownProfile?.livePosix !== true) return;
    directory.resource = { ...resource, mtime: nowTimespec() };
  }

  /** We changed something and don't know exactly what the peer has now. */
  recordUnknown(parent: Node, name: string): void {
    this.noteChange(parent, name);
    this.cache.dropName(parent.id, name);
    const live = parent.children.get(name);
    if (live !== undefined && !live.isLocal) live.resourceAt = -Infinity;
  }

  /** The peer was away and may be another: nothing that was known may be used. */
  expireAll(): void {
    this.access.forget();
    this.cache.clear();
    for (const node of this.nodes.all()) if (!node.isLocal) node.resourceAt = -Infinity;
  }

  /** One PROPFIND with depth 0, shared by all who ask at the same time. Undefined: not found. */
  #ask(path: string, key: string, signal: AbortSignal): Promise<Resource | undefined> {
    return this.calls.run(key, signal, async (shared) => {
      await this.profile(shared);
      try {
        return await this.client.stat(path, { signal: shared });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    });
  }

  #listingPays(directory: Node): boolean {
    directory.misses += 1;
    return (
      directory.misses >
      MISSES_BEFORE_LISTING + this.cache.knownSize(directory.id) / ENTRIES_PER_MISS
    );
  }
}

/** REQUIRES: not local. */
function isOtherVersion({ data }: Node, resource: Resource): boolean {
  if (data === undefined || data.handles === 0 || data.expect === 'absent') return false;
  return !sameVersion(data.expect, versionOf(resource));
}

/** Aborts never: for what goes on after its caller has left. */
export const NEVER: AbortSignal = new AbortController().signal;

export function isPromise<T>(value: Awaitable<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** `next` on the value, at once when it is there: no promise for cached answers. */
export function chain<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return isPromise(value) ? value.then(next) : next(value);
}

export function checkNotInterrupted(ctx: RequestContext): void {
  if (ctx.signal.aborted) throw new FsError('EINTR');
}

const ZERO = { sec: 0, nsec: 0 };
const NO_ATTRIBUTES: Attributes = {
  ino: 0,
  size: 0,
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  rdev: 0,
  blksize: 0,
  blocks: 0,
  atime: ZERO,
  mtime: ZERO,
  ctime: ZERO,
};
