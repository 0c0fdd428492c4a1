/** The null file system with the names that the workloads expect: what a mount costs when the file system itself costs nothing. */
import type {
  Attributes,
  AttributesAnswer,
  DirectoryEntry,
  Entry,
} from '../../src/vfs/filesystem.js';
import { NullFileSystem } from '../support/null-file-system.js';

const TIMEOUT_MS = 1000;
const DIRECTORY = 0o40000;
const FILE = 0o100000;
const ROOT = 1;
const TREE = 2;
const SMALL = 3;
const BRANCHES = 1000;
const FILES = 1_000_000;
const PER_FOLDER = 100;

const isDirectory = (ino: number): boolean => ino < FILES;

/** Names carry their number; a folder's number and an index in it make the number of a file. */
function inoOf(parent: number, name: string): number {
  const index = Number(/-(\d+)$/.exec(name)?.[1] ?? 0);
  if (parent === ROOT) return name === 'tree' ? TREE : name === 'small' ? SMALL : FILES + index;
  if (parent === TREE) return BRANCHES + index;
  return FILES + parent * 1000 + index;
}

export class BenchFileSystem extends NullFileSystem {
  constructor() {
    super(TIMEOUT_MS);
  }

  override lookup(parent: number, name: string): Entry {
    const nodeId = inoOf(parent, name);
    const { attributes, attrTimeoutMs } = this.getattr(nodeId);
    return { nodeId, attributes, attrTimeoutMs, entryTimeoutMs: TIMEOUT_MS };
  }

  override getattr(nodeId: number): AttributesAnswer {
    const { attributes, attrTimeoutMs } = super.getattr(nodeId === ROOT ? ROOT : 2);
    const mode = isDirectory(nodeId) ? DIRECTORY | 0o755 : FILE | 0o644;
    const own: Attributes = { ...attributes, ino: nodeId, mode };
    return { attributes: own, attrTimeoutMs };
  }

  override mkdir(): Entry {
    return this.lookup(ROOT, 'small');
  }

  override readdir(
    nodeId: number,
    _fh: number,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
  ): void {
    if (nodeId === ROOT || nodeId === SMALL) return;
    const folder = nodeId === TREE;
    for (let at = offset; at < PER_FOLDER; at++) {
      const name = `${folder ? 'folder' : 'file'}-${at}`;
      const type = folder ? DIRECTORY : FILE;
      if (!add({ name, offset: at + 1, type, ino: inoOf(nodeId, name) })) return;
    }
  }
}
