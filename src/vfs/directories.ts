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
import type { Node } from './node.js';

/** What a handle tells. As arrays side by side: one object for each of 100,000 members would hold up the event loop. */
interface Members {
  readonly names: readonly string[];
  /** None for files that are only here, which come last. */
  readonly resources: readonly Resource[];
  /** When the peer told it. */
  readonly at: number;
}

interface DirectoryHandle {
  /** Taken when reading begins, and again when it begins anew (rewinddir). */
  members: Members | undefined;
}

const DOTS = 2;

export class Directories {
  readonly #core: Core;
  readonly #ahead: ListingsAhead;
  readonly #handles = new Map<number, DirectoryHandle>();
  #nextFh = 1;

  constructor(core: Core) {
    this.#core = core;
    this.#ahead = new ListingsAhead(core);
  }

  open(node: Node): OpenAnswer {
    if (!node.isDirectory) throw new FsError('ENOTDIR');
    const fh = this.#nextFh++;
    this.#handles.set(fh, { members: undefined });
    return { fh, keepCache: false, directIo: false };
  }

  release(fh: number): void {
    this.#handles.delete(fh);
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
        if (!add(this.#entryOf(node, members, i))) return;
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
    return chain(this.#members(node, fh, offset, ctx), ({ names, resources, at }) => {
      const none = this.#core.answers.noEntry(-Infinity);
      const from = this.#addDots(node, offset, (entry) => add(entry, none));
      if (from < 0) return;
      for (let i = from; i < names.length; i++) {
        const name = names[i]!;
        const child = this.#nodeOf(node, name, resources[i], at);
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

  #members(node: Node, fh: number, offset: number, waiting: Waiting): Awaitable<Members> {
    const handle = this.#handles.get(fh);
    if (handle === undefined) throw new FsError('EBADF');
    if (offset > 0 && handle.members !== undefined) return handle.members;
    this.#ahead.asked(node);
    const asked = this.#core.listings.listing(node, waiting);
    this.#ahead.goOn(node);
    return chain(asked, (listing) => {
      const names = [...listing.keys()];
      for (const [name, child] of node.children) {
        if (child.isLocal && !listing.has(name)) names.push(name);
      }
      const at = this.#core.cache.listing(node.id, -Infinity)?.at ?? this.#core.now();
      handle.members = { names, resources: [...listing.values()], at };
      return handle.members;
    });
  }

  #entryOf(node: Node, { names, resources }: Members, index: number): DirectoryEntry {
    const name = names[index]!;
    const resource = resources[index];
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
    at: number,
  ): Node | undefined {
    const live = directory.children.get(name);
    if (live?.isLocal === true) return live;
    const newer = this.#core.cache.find(directory.id, name, at);
    if (newer !== undefined) {
      return newer.resource && this.#core.adopt(directory, name, newer.resource, newer.at);
    }
    return resource && this.#core.adopt(directory, name, resource, at);
  }
}

function typeOfMember(resource: Resource | undefined): number {
  return resource === undefined ? S_IFDIR : typeOf(resource);
}
