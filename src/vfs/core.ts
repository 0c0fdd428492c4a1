/**
 * What the operations share: nodes, caches and the client; what is done when the peer or we ourselves have changed something.
 * `lookups` and `listings` put the questions to the peer, `answers` says what the kernel may remember.
 */
import { performance } from 'node:perf_hooks';
import { encodeName } from '../names.js';
import type { Logger } from '../log.js';
import type { Resource, ServerProfile, Timespec, WebDavClient } from '../webdav/types.js';
import { sameTag, sameVersion, versionOf } from './reader/versions.js';
import { isUploadName } from '../webdav/hidden-names.js';
import type { OwnerOptions } from './attributes.js';
import { ChangeWatch } from './change-watch.js';
import { nowTimespec, typeOf } from './attributes.js';
import type { DataOptions, Uploader } from './content.js';
import { FsError, type Awaitable, type Invalidator } from './filesystem.js';
import { KernelAnswers } from './kernel-answers.js';
import { Listings } from './listings.js';
import { Lookups } from './lookups.js';
import { NameCache } from './name-cache.js';
import type { Node } from './node.js';
import { NodeTable } from './node-table.js';
import { RecentContents } from './recent-contents.js';
import { SecondTries } from './second-tries.js';
import { SharedCalls } from './shared-call.js';
import { Sweep } from './sweep.js';
import { Trim } from './trim.js';
import { WriteAccess } from './write-access.js';
import type { Writeback } from './writeback.js';

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
  /** Names that the kernel may know, where it can be asked to forget. */
  readonly maxNodes: number;
  /** An open asks the peer, whatever is known. */
  readonly closeToOpen: boolean;
  /** Time between signs of life of a feed of changes. */
  readonly heartbeatMs: number;
  readonly keepDir?: string | undefined;
  /** Monotonic clock, ms. */
  readonly now: () => number;
}

export const CORE_DEFAULTS = {
  readOnly: false,
  attrTtlMs: 1000,
  negativeTtlMs: 1000,
  maxNames: 100_000,
  maxListed: 300_000,
  maxNodes: 200_000,
  closeToOpen: true,
  heartbeatMs: 3000,
  now: (): number => performance.now(),
} as const;

const NAME_MAX_BYTES = 255;

export class Core {
  readonly options: CoreOptions;
  readonly client: WebDavClient;
  readonly log: Logger;
  readonly nodes = new NodeTable();
  readonly cache: NameCache;
  readonly calls = new SharedCalls<string>();
  readonly secondTries = new SecondTries();
  readonly recent: RecentContents;
  readonly access: WriteAccess;
  readonly watch: ChangeWatch = new ChangeWatch(this);
  readonly listings: Listings = new Listings(this);
  readonly lookups: Lookups = new Lookups(this);
  readonly sweep: Sweep = new Sweep(this);
  readonly trim: Trim;
  readonly answers: KernelAnswers = new KernelAnswers(this);
  invalidator: Invalidator | undefined;
  /** With `-o writeback`, or where a former mount with it left something to bring. */
  writeback: Writeback | undefined;
  /** Counts our own changes of names. */
  #sequence = 0;

  constructor(options: CoreOptions) {
    this.options = options;
    this.client = options.client;
    this.log = options.log;
    this.cache = new NameCache(options);
    this.recent = new RecentContents(options.client);
    this.trim = new Trim(this, options.maxNodes);
    this.access = new WriteAccess(options.client, options.readOnly);
  }

  now(): number {
    return this.options.now();
  }

  /** The number of our last change. */
  get sequence(): number {
    return this.#sequence;
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

  isFresh(node: Node): boolean {
    return node.isLocal || node.unlinked || this.watch.isNodeFresh(node);
  }

  /** The node for what the peer has under a name. A resource of another type is another node: the old one is detached. */
  adopt(parent: Node, name: string, resource: Resource, at: number): Node {
    const live = parent.children.get(name);
    const outdated = this.cache.isOutdated({ resource, at });
    if (live !== undefined) {
      if (!this.#isNews(live, at) || outdated) return live;
      const other = this.#isOtherFile(live, resource);
      if (!other && !isOtherVersion(live, resource)) {
        this.update(live, resource, at);
        return live;
      }
      if (other) this.loseName(live, parent, name);
      else this.replace(live);
    }
    const asOf = outdated ? -Infinity : at;
    return (
      this.#adoptLink(parent, name, resource, asOf) ??
      this.nodes.create(parent, name, resource, asOf)
    );
  }

  /** While a change of ours is on its way, what the peer tells may be of before or after it. */
  #isNews(node: Node, at: number): boolean {
    return !node.isLocal && node.gate === undefined && at >= node.resourceAt;
  }

  #isOtherFile(live: Node, resource: Resource): boolean {
    if (typeOf(live.resource) !== typeOf(resource)) return true;
    // Of two nodes for one file, that of this name gives way unless it is in use.
    const linked = this.nodes.fileOf(resource);
    if (linked !== undefined && linked !== live) return live.data === undefined;
    // A file with one name may have got another inode by an upload.
    return live.links.length > 0 && live.resource.posix?.ino !== resource.posix?.ino;
  }

  /** A further name of a file that is known by another one. */
  #adoptLink(parent: Node, name: string, resource: Resource, at: number): Node | undefined {
    const node = this.nodes.fileOf(resource);
    if (node === undefined || typeOf(node.resource) !== typeOf(resource)) return undefined;
    if (at !== -Infinity && this.#isNews(node, at)) {
      if (isOtherVersion(node, resource)) {
        this.replace(node);
        return undefined;
      }
      this.update(node, resource, at);
    }
    this.nodes.addName(node, parent, name);
    return node;
  }

  /** The peer has something else, or nothing, under this name of the node. */
  loseName(node: Node, parent: Node, name: string): void {
    if (node.links.length === 0) {
      this.replace(node);
      return;
    }
    this.nodes.removeName(node, parent, name);
    node.resourceAt = -Infinity;
  }

  /**
   * The peer has something else under all names. Whoever has this one open keeps it, as one keeps a file that was replaced by rename:
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
    this.nodes.index(node);
    if (node.pagesEtag === undefined || sameTag(node.pagesEtag, resource.etag)) return;
    node.pagesEtag = undefined;
    // The kernel drops its pages by itself when size or mtime change; another version with the same of both it can't see.
    if (former.size === resource.size) void this.invalidator?.inode(node.id, 0, 0);
  }

  /** Answers on the way about this name must not be believed. */
  noteChange(parent: Node, name: string): void {
    parent.changes.note(name, ++this.#sequence);
    this.watch.noteOwn(parent, name);
    const node = parent.children.get(name);
    if (node === undefined) return;
    this.cache.noteFileChange(node.resource, this.now());
    for (const link of node.links) link.parent.changes.note(link.name, ++this.#sequence);
    if (node.parent !== undefined && node.links.length > 0) {
      node.parent.changes.note(node.name, ++this.#sequence);
    }
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
    this.nodes.index(node);
    if (parent !== undefined) this.cache.put(parent.id, name, node.resource, node.resourceAt);
    if (resource.size !== former.size || node.data !== data) return;
    const same = (etag: string | undefined): boolean => sameTag(etag, former.etag);
    if (pagesEtag !== undefined && same(pagesEtag)) node.pagesEtag = resource.etag;
    if (writtenMtime !== undefined && node.writtenMtime !== undefined && same(writtenMtime.etag)) {
      node.writtenMtime = { ...writtenMtime, etag: resource.etag };
    }
    if (data === undefined || data.expect === 'absent') return;
    // What was written here since is not there yet; somebody else's content is not to be overwritten by it.
    const untouched = sameTime(resource.mtime, former.mtime);
    if (data.dirty && !untouched) return;
    if (!same(data.expect.etag)) return;
    data.expect = versionOf(resource);
    data.staging?.retag(data.expect);
    await this.writeback?.commits.noteVersion(data);
    if (untouched) data.reader?.retag(data.expect);
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
}

function sameTime(a: Timespec | undefined, b: Timespec | undefined): boolean {
  return a !== undefined && a.sec === b?.sec && a.nsec === b.nsec;
}

/** REQUIRES: not local. */
function isOtherVersion({ data }: Node, resource: Resource): boolean {
  if (data === undefined || data.handles === 0 || data.expect === 'absent') return false;
  return !sameVersion(data.expect, versionOf(resource));
}
