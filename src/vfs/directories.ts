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

interface Member {
  readonly name: string;
  /** Undefined for files that are only here. */
  readonly resource: Resource | undefined;
}

interface DirectoryHandle {
  /** Taken when reading begins, and again when it begins anew (rewinddir). */
  members: readonly Member[] | undefined;
  /** When the peer told it. */
  at: number;
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
    this.#handles.set(fh, { members: undefined, at: 0 });
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
    return chain(this.#members(node, fh, offset, ctx), ({ members }) => {
      const from = this.#addDots(node, offset, add);
      if (from < 0) return;
      for (let i = from; i < members.length; i++) {
        if (!add(this.#entryOf(node, members[i]!, i))) return;
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
    return chain(this.#members(node, fh, offset, ctx), ({ members, at }) => {
      const none = this.#core.answers.noEntry(-Infinity);
      const from = this.#addDots(node, offset, (entry) => add(entry, none));
      if (from < 0) return;
      for (let i = from; i < members.length; i++) {
        const member = members[i]!;
        const child = this.#nodeOf(node, member, at);
        const entry = { name: member.name, offset: i + DOTS + 1, type: S_IFDIR, ino: 0 };
        if (child === undefined) {
          // Removed since the handle's moment: told, since it was promised, but not to be used.
          if (!add({ ...entry, type: typeOfMember(member), ino: 1 }, none)) return;
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

  #members(
    node: Node,
    fh: number,
    offset: number,
    waiting: Waiting,
  ): Awaitable<{ members: readonly Member[]; at: number }> {
    const handle = this.#handles.get(fh);
    if (handle === undefined) throw new FsError('EBADF');
    if (offset > 0 && handle.members !== undefined)
      return { members: handle.members, at: handle.at };
    this.#ahead.asked(node);
    const asked = this.#core.listings.listing(node, waiting);
    this.#ahead.goOn(node);
    return chain(asked, (listing) => {
      const members: Member[] = [];
      for (const [name, resource] of listing) members.push({ name, resource });
      for (const [name, child] of node.children) {
        if (child.isLocal && !listing.has(name)) members.push({ name, resource: undefined });
      }
      handle.members = members;
      handle.at = this.#core.cache.listing(node.id, -Infinity)?.at ?? this.#core.now();
      return { members, at: handle.at };
    });
  }

  #entryOf(node: Node, member: Member, index: number): DirectoryEntry {
    const child = node.children.get(member.name);
    return {
      name: member.name,
      offset: index + DOTS + 1,
      type: child !== undefined ? typeOf(child.resource) : typeOfMember(member),
      // readdir(3) only needs a number that is not 0; stat(2) tells the true one.
      ino: child?.ino ?? member.resource?.posix?.ino ?? index + DOTS + 1,
    };
  }

  /** Undefined: no such name any more. */
  #nodeOf(directory: Node, member: Member, at: number): Node | undefined {
    const live = directory.children.get(member.name);
    if (live?.isLocal === true) return live;
    const newer = this.#core.cache.find(directory.id, member.name, at);
    if (newer !== undefined) {
      return newer.resource && this.#core.adopt(directory, member.name, newer.resource, newer.at);
    }
    return member.resource && this.#core.adopt(directory, member.name, member.resource, at);
  }
}

function typeOfMember(member: Member): number {
  return member.resource === undefined ? S_IFDIR : typeOf(member.resource);
}
