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

/**
 * Node ids for paths, by lookups from the root. References are balanced: what a lookup counted is forgotten when the work with the
 * node is done.
 */
export class PathResolver {
  readonly #fs: FileSystem;

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
      for (const nodeId of held) this.#fs.forget(nodeId, 1);
    }
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
