/**
 * Small files that will be opened next: programs that go through a folder (grep -r, tar, cp -r) open its files in the order of the
 * listing, or of the names. While they do, the next ones are fetched whole, many by one request of our own share.
 *
 * What was fetched is of one version, and used for an open only when that version is what the peer has at the open (`Opening`).
 */
import { LRUCache } from 'lru-cache';
import { hasContents } from '../webdav/server-profile.js';
import type { Resource, SmallContent } from '../webdav/types.js';
import { S_IFREG, typeOf } from './attributes.js';
import type { Core } from './core.js';
import type { Node } from './node.js';
import { budgetOf, type Evictable, type MemoryBudget } from './reader/memory-budget.js';
import { sameTag, versionOf } from './reader/versions.js';
import { Siblings } from './sibling-order.js';

/** What our share reads by one call. */
const MAX_FILE_BYTES = 64 * 1024;
/** Of one request: files at first and at most, and their bytes. */
const MIN_FILES = 8;
const MAX_FILES = 64;
const MAX_REQUEST_BYTES = 512 * 1024;
const MAX_IN_FLIGHT = 4;
/** Fetched or on the way in one folder, and not asked for. */
const MAX_UNREAD = 2 * MAX_FILES;
/** So many files fetched in vain, and more than were of use: the folder isn't read as it seems. */
const MAX_WASTED = 64;
const MAX_FOLDERS = 8;

/** A file on its way, or here. */
class Ahead implements Evictable {
  readonly bytes: number;
  readonly unread = true;
  waiting = 0;
  content: SmallContent | undefined;
  readonly #onEvicted: () => void;

  constructor(bytes: number, onEvicted: () => void) {
    this.bytes = bytes;
    this.#onEvicted = onEvicted;
  }

  get busy(): boolean {
    return this.waiting > 0;
  }

  evict(): void {
    this.#onEvicted();
  }
}

interface Request {
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

interface Folder {
  readonly members: ReadonlyMap<string, Resource>;
  readonly siblings: Siblings;
  readonly ahead: Map<string, { readonly file: Ahead; readonly request: Request }>;
  readonly requests: Set<Request>;
  files: number;
  used: number;
  wasted: number;
}

export class ContentsAhead {
  readonly #core: Core;
  readonly #budget: MemoryBudget;
  readonly #folders = new LRUCache<number, Folder>({
    max: MAX_FOLDERS,
    dispose: (folder) => this.#drop(folder),
  });
  #trusting = false;

  constructor(core: Core) {
    this.#core = core;
    this.#budget = budgetOf(core.client, core.options.readAheadBytes);
  }

  /** A program opens the file to read it. Undefined: its content was not fetched, or is of another version than is known. */
  async take(node: Node): Promise<Buffer | undefined> {
    const { parent, name } = node;
    if (parent === undefined || !this.#isOf(node)) return undefined;
    const folder = this.#folderOf(parent);
    if (folder === undefined) return undefined;
    this.#observe(folder, name);
    this.#fetchNext(parent, folder);
    const found = folder.ahead.get(name);
    if (found === undefined) return undefined;
    const { file, request } = found;
    if (file.content === undefined) {
      file.waiting += 1;
      await request.done;
      file.waiting -= 1;
    }
    this.#remove(folder, name);
    const { content } = file;
    const { etag, size } = node.resource;
    const fits =
      content !== undefined && sameTag(content.etag, etag) && content.bytes.length === size;
    if (fits) folder.used += 1;
    else folder.wasted += 1;
    return fits ? content.bytes : undefined;
  }

  /** Only what can be known to be current without asking for it is worth fetching. */
  #isOf({ isLocal, unlinked }: Node): boolean {
    const { knownProfile } = this.#core.client;
    if (isLocal || unlinked || knownProfile === undefined) return false;
    return hasContents(knownProfile) && this.#core.watch.tells;
  }

  #folderOf(directory: Node): Folder | undefined {
    const members = this.#core.cache.listing(directory.id, -Infinity)?.members;
    const known = this.#folders.get(directory.id);
    if (members === undefined || known?.members === members) return known;
    const files = [...members].filter(([, resource]) => typeOf(resource) === S_IFREG);
    const names = files.map(([name]) => name);
    const folder: Folder = {
      members,
      siblings: new Siblings(names, { backward: false }),
      ahead: new Map(),
      requests: new Set(),
      files: MIN_FILES,
      used: 0,
      wasted: 0,
    };
    this.#folders.set(directory.id, folder);
    return folder;
  }

  #observe(folder: Folder, name: string): void {
    const foreseen = folder.siblings.use(name, this.#trusting);
    if (folder.siblings.isLongRun) this.#trusting = true;
    if (foreseen) return;
    this.#trusting = false;
    folder.files = MIN_FILES;
    this.#drop(folder);
  }

  #fetchNext(directory: Node, folder: Folder): void {
    if (folder.wasted >= MAX_WASTED && folder.wasted > folder.used) return;
    while (folder.requests.size < MAX_IN_FLIGHT && folder.ahead.size + folder.files <= MAX_UNREAD) {
      const wanted = this.#next(directory, folder);
      if (wanted.size === 0) return;
      this.#fetch(directory, folder, wanted);
      folder.files = Math.min(MAX_FILES, folder.files * 2);
    }
  }

  #next(directory: Node, folder: Folder): ReadonlyMap<string, number> {
    const wanted = new Map<string, number>();
    let bytes = 0;
    while (wanted.size < folder.files && bytes < MAX_REQUEST_BYTES) {
      if (!this.#budget.roomFor(bytes + MAX_FILE_BYTES)) break;
      const name = folder.siblings.foresee();
      if (name === undefined) break;
      const size = this.#sizeToFetch(directory, folder, name);
      if (size === undefined) continue;
      wanted.set(name, size);
      bytes += size;
    }
    return wanted;
  }

  #sizeToFetch(directory: Node, { members, ahead }: Folder, name: string): number | undefined {
    const live = directory.children.get(name);
    const resource = live?.resource ?? members.get(name);
    if (resource === undefined || ahead.has(name)) return undefined;
    // In use, or its pages are with the kernel.
    if (live?.data !== undefined || live?.pagesEtag !== undefined) return undefined;
    const { size, posix } = resource;
    const { contents } = this.#core.options;
    if (contents?.knows(`${directory.path}/${name}`, versionOf(resource)) === true)
      return undefined;
    // Through other names a file changes unseen.
    const fits = size > 0 && size <= MAX_FILE_BYTES && (posix?.nlink ?? 1) === 1;
    return fits ? size : undefined;
  }

  #fetch(directory: Node, folder: Folder, wanted: ReadonlyMap<string, number>): void {
    const controller = new AbortController();
    const { signal } = controller;
    const onContent = (content: SmallContent): void => {
      const arrived = folder.ahead.get(content.name);
      if (arrived?.request === request) arrived.file.content = content;
    };
    const done = this.#core.client
      .contents(directory.path, [...wanted.keys()], onContent, { signal })
      .catch((error: unknown) => {
        this.#core.log.debug('reading files ahead failed', { reason: String(error) });
      })
      .finally(() => folder.requests.delete(request));
    const request: Request = { controller, done };
    folder.requests.add(request);
    for (const [name, size] of wanted) {
      const file = new Ahead(size, () => {
        folder.wasted += 1;
        folder.ahead.delete(name);
      });
      folder.ahead.set(name, { file, request });
      this.#budget.admit(file);
    }
  }

  #remove(folder: Folder, name: string): void {
    const found = folder.ahead.get(name);
    if (found === undefined) return;
    folder.ahead.delete(name);
    this.#budget.release(found.file);
  }

  /** It was read otherwise than foreseen. */
  #drop(folder: Folder): void {
    folder.wasted += folder.ahead.size;
    for (const { controller } of folder.requests)
      controller.abort(new Error('not needed any more'));
    for (const name of [...folder.ahead.keys()]) this.#remove(folder, name);
  }
}
