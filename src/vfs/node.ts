/**
 * Nodes: what the kernel holds references on. A node is a name in a directory, or what is left of one that was removed while in use.
 */
import type { Resource, Timespec } from '../webdav/types.js';
import type { FileData } from './file-data.js';
import { ROOT_INO } from './filesystem.js';

export interface NodeName {
  readonly parent: Node;
  readonly name: string;
}

export class Node {
  /** FUSE node id: never used twice in the life of a mount. */
  readonly id: number;
  /** st_ino. */
  readonly ino: number;
  /** Undefined for the root. */
  parent: Node | undefined;
  name: string;
  /** Further names of a file with hard links, as far as they were looked up. */
  readonly links: NodeName[] = [];
  /** Of such a file: its key in the table of nodes. */
  fileKey: string | undefined;
  resource: Resource;
  /** Monotonic ms when the peer last told `resource`; -Infinity: ask again before use. */
  resourceAt: number;
  /** References the kernel holds (lookup count). */
  lookups = 0;
  /** Names looked up below. INVARIANT: each is one of the child's names. */
  readonly children = new Map<string, Node>();
  /** Content in use: open handles, or data that the peer doesn't have yet. */
  data: FileData | undefined;
  /** The last name is gone; the node lives while handles are open. */
  unlinked = false;
  /** Resolves when the removal or rename of this node that is on the way is over. */
  gate: Promise<void> | undefined;
  /** The peer has another version, or nothing, under the name; this node lives on for the handles of the version that was opened. */
  replaced = false;
  /** Own changes of names below (directories): an answer that was asked for before one of them doesn't tell of that name. */
  readonly changes = new ChangeLog();
  /** Attributes missed below since the last listing (directories): decides when one listing beats many single requests. */
  misses = 0;
  /** What the writer saw as mtime, while the file is still the version that was written here. */
  writtenMtime: { readonly mtime: Timespec; readonly etag: string | undefined } | undefined;
  /** The version that is on disk at the peer; of a directory see `syncedAt`. */
  syncedEtag: string | undefined;
  /** Of a directory: by our counter of changes, those until then are on disk at the peer. */
  syncedAt: number | undefined;
  /** What utimens said where the peer doesn't store it: reads don't change it. */
  atime: Timespec | undefined;
  /** What the kernel was told last: by its size it ends reads. */
  told: Resource | undefined;
  /** Was it ever opened? Until then the kernel has none of its pages. */
  opened = false;
  /** ETag of the version whose pages the kernel may have. */
  pagesEtag: string | undefined;
  /** Target of a symbolic link, with the ETag it was read from. */
  linkTarget: { readonly target: string; readonly etag: string | undefined } | undefined;

  constructor(
    id: number,
    ino: number,
    parent: Node | undefined,
    name: string,
    resource: Resource,
    at: number,
  ) {
    this.id = id;
    this.ino = ino;
    this.parent = parent;
    this.name = name;
    this.resource = resource;
    this.resourceAt = at;
  }

  /** Decoded path at the peer, '' for the root. */
  get path(): string {
    return this.parent === undefined ? '' : `${this.parent.path}/${this.name}`;
  }

  /** None for the root. */
  get names(): NodeName[] {
    const { parent, name } = this;
    return parent === undefined ? [] : [{ parent, name }, ...this.links];
  }

  get isRoot(): boolean {
    return this.id === ROOT_INO;
  }

  get isDirectory(): boolean {
    return this.resource.kind === 'collection';
  }

  /** The peer's state doesn't tell this file's: it was created or changed here and is not uploaded. */
  get isLocal(): boolean {
    return this.data?.dirty === true;
  }
}

/** When names were last changed by us, by a counter. Bounded: of names that were dropped it only knows that they are older. */
export class ChangeLog {
  static readonly #MAX_NAMES = 4096;
  readonly #last = new Map<string, number>();
  #dropped = 0;

  note(name: string, sequence: number): void {
    this.#last.delete(name);
    this.#last.set(name, sequence);
    if (this.#last.size <= ChangeLog.#MAX_NAMES) return;
    for (const [oldest, at] of this.#last) {
      this.#last.delete(oldest);
      this.#dropped = at;
      break;
    }
  }

  /** Counter of the last change of a name, or of one that may have been later. */
  last(name: string): number {
    return this.#last.get(name) ?? this.#dropped;
  }

  /** Names changed after `sequence`; undefined when not all are known any more. */
  since(sequence: number): string[] | undefined {
    if (this.#dropped > sequence) return undefined;
    const names: string[] = [];
    for (const [name, at] of this.#last) if (at > sequence) names.push(name);
    return names;
  }
}
