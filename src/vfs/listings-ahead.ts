/**
 * Folders that will be listed next: programs that walk a tree (find, ls -R, du) list the folders of one folder in turn. While they do,
 * the next ones are listed ahead, several at a time; who asks for one that is on its way shares the request.
 */
import { LRUCache } from 'lru-cache';
import type { Resource } from '../webdav/types.js';
import type { Core } from './core.js';
import type { Node } from './node.js';
import { Siblings } from './sibling-order.js';

const MAX_IN_FLIGHT = 6;
/** Listed ahead and not asked for: at most, and where a listing is soon too old since nobody tells of changes. */
const MAX_UNASKED = 64;
const MAX_UNASKED_AGEING = 6;
/** Of the room for listings, what those that nobody has asked for may take. */
const SHARE_OF_ROOM = 4;
const MAX_WASTED = 16;
const MAX_FOLDERS = 64;

interface Folder {
  readonly directory: Node;
  readonly members: ReadonlyMap<string, Resource>;
  readonly siblings: Siblings;
  /** Grows with success. */
  most: number;
  unasked: number;
  used: number;
  wasted: number;
}

interface Ahead {
  readonly folder: Folder;
  readonly node: Node;
  readonly controller: AbortController;
  entries: number;
}

export class ListingsAhead {
  readonly #core: Core;
  readonly #folders = new LRUCache<number, Folder>({ max: MAX_FOLDERS });
  /** Not asked for yet. */
  readonly #unasked = new Map<Node, Ahead>();
  #inFlight = 0;
  #entries = 0;
  #trusting = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** A program lists the directory now. To be called before the peer is asked about it, and followed by `goOn`. */
  asked(directory: Node): void {
    const ahead = this.#unasked.get(directory);
    if (ahead !== undefined) {
      this.#forget(ahead);
      ahead.folder.used += 1;
    }
    const { parent, name } = directory;
    const folder = parent && this.#folderOf(parent);
    if (folder === undefined) return;
    if (folder.siblings.use(name, this.#trusting)) {
      if (ahead !== undefined) folder.most = Math.min(MAX_UNASKED, folder.most * 2);
      if (folder.siblings.isLongRun) this.#trusting = true;
    } else {
      this.#trusting = false;
      folder.most = 1;
      for (const other of [...this.#unasked.values()])
        if (other.folder === folder) this.#drop(other);
    }
  }

  /** The program's own question is on its way: now those that it will have. */
  goOn(directory: Node): void {
    const folder = directory.parent && this.#folders.get(directory.parent.id);
    if (folder !== undefined) this.#listNext(folder);
  }

  #folderOf(directory: Node): Folder | undefined {
    const members = this.#core.cache.listing(directory.id, -Infinity)?.members;
    const known = this.#folders.get(directory.id);
    if (members === undefined || known?.members === members) return known;
    const folders = [...members].filter(([, { kind }]) => kind === 'collection');
    // Who puts what is to be done on a stack begins with the last.
    const names = folders.map(([name]) => name);
    const siblings = new Siblings(names, { backward: true });
    const folder = { directory, members, siblings, most: 2, unasked: 0, used: 0, wasted: 0 };
    this.#folders.set(directory.id, folder);
    return folder;
  }

  #listNext(folder: Folder): void {
    if (folder.wasted >= MAX_WASTED && folder.wasted > folder.used) return;
    const { attrTtlMs, maxListed } = this.#core.options;
    if (attrTtlMs === 0) return;
    const most = Math.min(folder.most, this.#core.watch.tells ? MAX_UNASKED : MAX_UNASKED_AGEING);
    while (this.#inFlight < MAX_IN_FLIGHT && folder.unasked < most) {
      if (!this.#hasRoom(folder, maxListed / SHARE_OF_ROOM)) return;
      const name = folder.siblings.foresee();
      if (name === undefined) return;
      this.#list(folder, name);
    }
  }

  /** What a walk has left behind elsewhere makes room. */
  #hasRoom(folder: Folder, maxEntries: number): boolean {
    for (const oldest of this.#unasked.values()) {
      if (this.#unasked.size < MAX_UNASKED && this.#entries < maxEntries) return true;
      if (oldest.folder === folder) return false;
      this.#drop(oldest);
    }
    return true;
  }

  #list(folder: Folder, name: string): void {
    const { directory, members } = folder;
    const { cache, listings, log, watch } = this.#core;
    const resource = members.get(name);
    const at = cache.listing(directory.id, -Infinity)?.at;
    if (resource === undefined || at === undefined) return;
    const node = directory.children.get(name) ?? this.#core.adopt(directory, name, resource, at);
    const cached = cache.listing(node.id, -Infinity);
    const known = cached !== undefined && watch.isListingFresh(node, cached);
    if (known || !node.isDirectory || this.#unasked.has(node)) return;
    const controller = new AbortController();
    const ahead: Ahead = { folder, node, controller, entries: 0 };
    this.#unasked.set(node, ahead);
    folder.unasked += 1;
    this.#inFlight += 1;
    listings
      .list(node, controller.signal)
      .then(
        (listing) => {
          if (this.#unasked.get(node) !== ahead) return;
          ahead.entries = listing.size;
          this.#entries += listing.size;
        },
        (error: unknown) => {
          log.debug('listing ahead failed', { reason: String(error) });
          if (this.#unasked.get(node) === ahead) this.#drop(ahead);
        },
      )
      .finally(() => {
        this.#inFlight -= 1;
        this.#listNext(folder);
      });
  }

  #forget(ahead: Ahead): void {
    this.#unasked.delete(ahead.node);
    ahead.folder.unasked -= 1;
    this.#entries -= ahead.entries;
  }

  #drop(ahead: Ahead): void {
    this.#forget(ahead);
    ahead.folder.wasted += 1;
    ahead.controller.abort(new Error('not needed any more'));
    // It may be known to nobody but this.
    this.#core.nodes.dropIfUnused(ahead.node);
  }
}
