/** What is not at the peer. */
import type { FileData } from '../file-data.js';
import type { UnsentContent } from '../keep-content.js';
import type { Node } from '../node.js';

/** A file whose content is not at the peer. */
export interface PendingFile {
  readonly path: string;
  readonly size: number;
  /** open: a program has it open and its close will bring it; waiting: it is closed, and brought as soon as can be. */
  readonly state: 'open' | 'waiting' | 'uploading' | 'refused';
  /** In the journal: it survives the process. */
  readonly journaled: boolean;
  /** When it got there, or was changed last; ms since 1970. */
  readonly since: number;
  /** Why the peer doesn't take it. */
  readonly error?: string;
}

/** INVARIANT: exactly the nodes with data.dirty. */
export class DirtyFiles {
  readonly #nodes = new Set<Node>();

  add(node: Node, data: FileData): void {
    data.dirty = true;
    this.#nodes.add(node);
  }

  delete(node: Node, data: FileData | undefined): void {
    if (data !== undefined) data.dirty = false;
    this.#nodes.delete(node);
  }

  get isEmpty(): boolean {
    return this.#nodes.size === 0;
  }

  all(): Node[] {
    return [...this.#nodes];
  }

  /** Those at or below a directory. */
  below(directory: Node): Node[] {
    return this.all().filter((node) => {
      for (let at = node.parent; at !== undefined; at = at.parent)
        if (at === directory) return true;
      return false;
    });
  }

  describe(): PendingFile[] {
    return this.all().map(describe);
  }

  /** To be kept elsewhere. */
  contents(journalFolder: string | undefined): UnsentContent[] {
    return this.all().map((node) => ({
      path: node.path,
      staging: node.data?.staging,
      journal: node.data?.isCommitted === true ? journalFolder : undefined,
    }));
  }

  /** By how much files will grow at the peer. What is being sent may be there in part already, and counts there. */
  growth(): number {
    let bytes = 0;
    for (const { data } of this.#nodes) {
      if (data?.staging === undefined || data.upload !== undefined) continue;
      const unsent = data.stream?.unsent;
      if (unsent !== undefined) {
        bytes += unsent;
        continue;
      }
      const there = data.expect === 'absent' ? 0 : data.expect.size;
      bytes += Math.max(0, data.staging.size - there);
    }
    return bytes;
  }
}

function describe(node: Node): PendingFile {
  const { data, path } = node;
  const committed = data?.committed;
  const { refused } = committed ?? {};
  const { mtime } = data ?? {};
  const changed = mtime === undefined ? Date.now() : mtime.sec * 1000;
  return {
    path,
    size: data?.staging?.size ?? 0,
    state: stateOf(data),
    journaled: data?.isCommitted === true,
    since: committed?.entry.since ?? changed,
    ...(refused && { error: refused.message }),
  };
}

function stateOf(data: FileData | undefined): PendingFile['state'] {
  if (data?.upload !== undefined) return 'uploading';
  if (data?.committed?.refused !== undefined) return 'refused';
  return data !== undefined && data.handles > 0 && !data.isCommitted ? 'open' : 'waiting';
}
