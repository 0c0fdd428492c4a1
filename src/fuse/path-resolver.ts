import { FsError, ROOT_INO, type Awaitable, type FileSystem } from '../vfs/filesystem.js';
import type { RequestContext } from '../vfs/filesystem.js';

export interface Split {
  readonly parent: string;
  readonly name: string;
}

/** `/a/b` → `/a` and `b`. */
export function splitPath(path: string): Split {
  const slash = path.lastIndexOf('/');
  return { parent: path.slice(0, slash), name: path.slice(slash + 1) };
}

/** What the kernel does not remember for this bridge: nodes whose caches (of a folder: its listing) are likely to be asked for again. */
const MAX_KEPT_NODES = 4096;

/**
 * Node ids for paths, by lookups from the root. References are balanced: one is kept for each of the nodes used last, as a file system
 * may forget with a node what it knows of its names; the others are given back when the work with the node is done.
 */
export class PathResolver {
  readonly #fs: FileSystem;
  /** INVARIANT: one reference is held for each; the one used longest ago is the first. */
  readonly #kept = new Set<number>();

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /** Runs `work` with the node id of `path`. */
  async withNode<T>(
    path: string,
    ctx: RequestContext,
    work: (nodeId: number) => Awaitable<T>,
  ): Promise<T> {
    const held: number[] = [];
    try {
      let nodeId = ROOT_INO;
      for (const name of path.split('/')) {
        if (name === '') continue;
        const entry = await this.#fs.lookup(nodeId, name, ctx);
        if (entry.nodeId === 0) throw new FsError('ENOENT');
        held.push(entry.nodeId);
        nodeId = entry.nodeId;
      }
      return await work(nodeId);
    } finally {
      for (const nodeId of held) this.#keep(nodeId);
    }
  }

  /** Gives back all references that are kept. */
  forgetAll(): void {
    for (const nodeId of this.#kept) this.#fs.forget(nodeId, 1);
    this.#kept.clear();
  }

  /** Takes over one reference. */
  #keep(nodeId: number): void {
    if (this.#kept.delete(nodeId)) this.#fs.forget(nodeId, 1);
    this.#kept.add(nodeId);
    if (this.#kept.size <= MAX_KEPT_NODES) return;
    const [oldest] = this.#kept;
    this.#kept.delete(oldest!);
    this.#fs.forget(oldest!, 1);
  }

  /** Runs `work` with the node id of the folder of `path` and the last name. */
  withParent<T>(
    path: string,
    ctx: RequestContext,
    work: (parent: number, name: string) => Awaitable<T>,
  ): Promise<T> {
    const { parent, name } = splitPath(path);
    return this.withNode(parent, ctx, (nodeId) => work(nodeId, name));
  }
}
