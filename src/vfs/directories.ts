/**
 * opendir, readdir, readdirplus: a handle shows one moment of the directory, so that every name is told exactly once.
 */
import type { Resource } from '../webdav/types.js';
import { S_IFDIR, typeOf } from './attributes.js';
import { chain } from './awaitable.js';
import type { Core } from './core.js';
import type {
  Awaitable,
  DirectoryEntry,
  Entry,
  OpenAnswer,
  RequestContext,
  Waiting,
} from './filesystem.js';
import { FsError } from './filesystem.js';
import { ListingsAhead } from './listings-ahead.js';
import type { Members } from './members.js';
import type { CachedListing } from './name-cache.js';
import type { Node } from './node.js';

interface DirectoryHandle {
  readonly node: Node;
  /** Taken when reading begins, and again when it begins anew (rewinddir). */
  members: Members | undefined;
  /** Aborted when the handle needs no more of them. */
  asking: AbortController | undefined;
}

/** Names that the kernel keeps: of which listing they are, and since when. Undefined: that isn't known, or of several. */
interface KeptNames {
  listing: CachedListing | undefined;
  version: number;
  at: number;
  /** Open handles. */
  readers: number;
}

const DOTS = 2;

export class Directories {
  readonly #core: Core;
  readonly #ahead: ListingsAhead;
  readonly #handles = new Map<number, DirectoryHandle>();
  readonly #kept = new WeakMap<Node, KeptNames>();
  #nextFh = 1;

  constructor(core: Core) {
    this.#core = core;
    this.#ahead = new ListingsAhead(core);
  }

  open(node: Node): OpenAnswer {
    if (!node.isDirectory) throw new FsError('ENOTDIR');
    const fh = this.#nextFh++;
    this.#handles.set(fh, { node, members: undefined, asking: undefined });
    const { listed, keepCache } = this.#keptBy(node);
    return { fh, keepCache, directIo: false, cacheDir: listed };
  }

  /**
   * What the kernel has read of the names may be read again where we would tell the same: it then asks for none of them. But for their
   * attributes it would ask one by one when it may no longer use those that came with the names.
   */
  #keptBy(node: Node): { listed: boolean; keepCache: boolean } {
    const listing = this.#core.listings.covered(node);
    let kept = this.#kept.get(node);
    if (kept === undefined) {
      kept = { listing: undefined, version: 0, at: -Infinity, readers: 0 };
      this.#kept.set(node, kept);
    }
    const { readers } = kept;
    kept.readers += 1;
    const now = this.#core.now();
    const same = listing !== undefined && kept.listing === listing;
    const young = now - kept.at < this.#core.options.attrTtlMs;
    if (same && young && kept.version === listing.version) return { listed: true, keepCache: true };
    // Who reads another version would have its names put behind those of this one.
    kept.listing = readers === 0 ? listing : undefined;
    kept.version = listing?.version ?? 0;
    kept.at = now;
    return { listed: kept.listing !== undefined, keepCache: false };
  }

  release(fh: number): void {
    const handle = this.#handles.get(fh);
    if (handle === undefined) return;
    handle.asking?.abort();
    this.#handles.delete(fh);
    const kept = this.#kept.get(handle.node);
    if (kept !== undefined) kept.readers -= 1;
  }

  read(
    node: Node,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
    ctx: RequestContext,
  ): Awaitable<void> {
    return chain(this.#members(node, fh, offset, ctx), (members) => {
      const from = this.#addDots(node, offset, add);
      if (from < 0) return;
      for (let i = from; i < members.names.length; i++) {
        const name = members.names[i];
        if (name === undefined) continue;
        if (!add(this.#entryOf(node, name, members.resources[i], i))) return;
      }
    });
  }

  readPlus(
    node: Node,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry, lookup: Entry) => boolean,
    ctx: RequestContext,
  ): Awaitable<void> {
    return chain(this.#members(node, fh, offset, ctx), (members) => {
      const { names, resources } = members;
      const none = this.#core.answers.noEntry(-Infinity);
      const from = this.#addDots(node, offset, (entry) => add(entry, none));
      if (from < 0) return;
      for (let i = from; i < names.length; i++) {
        const name = names[i];
        if (name === undefined) continue;
        const child = this.#nodeOf(node, name, resources[i], members);
        const entry = { name, offset: i + DOTS + 1, type: S_IFDIR, ino: 0 };
        if (child === undefined) {
          // Removed since the handle's moment: told, since it was promised, but not to be used.
          if (!add({ ...entry, type: typeOfMember(resources[i]), ino: 1 }, none)) return;
          continue;
        }
        const { told: before } = child;
        const lookup = this.#core.answers.entry(child);
        const told = { ...entry, type: typeOf(child.resource), ino: child.ino };
        if (!add(told, lookup)) {
          child.told = before;
          this.#core.nodes.forget(child.id, 1);
          return;
        }
      }
    });
  }

  /** Index of the first member to tell, or -1 when `add` was full before. */
  #addDots(node: Node, offset: number, add: (entry: DirectoryEntry) => boolean): number {
    const self = { name: '.', offset: 1, type: S_IFDIR, ino: node.ino };
    if (offset < 1 && !add(self)) return -1;
    const parent = { name: '..', offset: 2, type: S_IFDIR, ino: node.parent?.ino ?? node.ino };
    if (offset < 2 && !add(parent)) return -1;
    return Math.max(0, offset - DOTS);
  }

  /** There is a member to tell, or no more of them. */
  #members(node: Node, fh: number, offset: number, waiting: Waiting): Awaitable<Members> {
    const handle = this.#handles.get(fh);
    if (handle === undefined) throw new FsError('EBADF');
    if (offset === 0 && handle.members !== undefined) {
      return this.#beginAnew(node, handle, handle.members, waiting);
    }
    const members = (handle.members ??= this.#begin(node, handle));
    const from = Math.max(0, offset - DOTS);
    if (members.has(from)) return members;
    return members.waitFor(from, waiting.signal).then(() => members);
  }

  #begin(node: Node, handle: DirectoryHandle): Members {
    handle.asking?.abort();
    handle.asking = undefined;
    this.#ahead.asked(node);
    const asking = (): AbortSignal => (handle.asking = new AbortController()).signal;
    const members = this.#core.listings.members(node, asking);
    this.#ahead.goOn(node);
    return members;
  }

  /** rewinddir(3), and seekdir(3) to the first name. */
  #beginAnew(
    node: Node,
    handle: DirectoryHandle,
    before: Members,
    waiting: Waiting,
  ): Awaitable<Members> {
    const anew = this.#begin(node, handle);
    const end = anew.ended ? undefined : anew.waitFor(Infinity, waiting.signal);
    return chain(end, () => (handle.members = anew.placedAs(before)));
  }

  #entryOf(
    node: Node,
    name: string,
    resource: Resource | undefined,
    index: number,
  ): DirectoryEntry {
    const child = node.children.get(name);
    return {
      name,
      offset: index + DOTS + 1,
      type: child !== undefined ? typeOf(child.resource) : typeOfMember(resource),
      // readdir(3) only needs a number that is not 0; stat(2) tells the true one.
      ino: child?.ino ?? resource?.posix?.ino ?? index + DOTS + 1,
    };
  }

  /** Undefined: no such name any more. */
  #nodeOf(
    directory: Node,
    name: string,
    resource: Resource | undefined,
    { at, sequence }: Members,
  ): Node | undefined {
    const live = directory.children.get(name);
    if (live?.isLocal === true) return live;
    // Changed by us since the peer was asked, which may be after it told.
    const ours = directory.changes.last(name) > sequence;
    const newer = ours
      ? this.#core.cache.single(directory.id, name)
      : this.#core.cache.find(directory.id, name, at);
    if (newer !== undefined) {
      return newer.resource && this.#core.adopt(directory, name, newer.resource, newer.at);
    }
    return ours || resource === undefined
      ? undefined
      : this.#core.adopt(directory, name, resource, at);
  }
}

function typeOfMember(resource: Resource | undefined): number {
  return resource === undefined ? S_IFDIR : typeOf(resource);
}
