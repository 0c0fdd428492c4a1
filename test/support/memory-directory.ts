import type { DirectoryEntry } from '../../src/vfs/filesystem.js';
import { S_IFMT, type MemoryNode } from './memory-node.js';

interface Listed {
  readonly name: string;
  readonly node: MemoryNode;
  readonly cookie: number;
}

/** An open directory. A listing is of what is there when it begins, less what goes meanwhile. */
export class MemoryDirectory {
  readonly node: MemoryNode;
  #listed: readonly Listed[] = [];

  constructor(node: MemoryNode) {
    this.node = node;
  }

  list(offset: number, add: (entry: DirectoryEntry, node: MemoryNode) => boolean): void {
    const { node } = this;
    if (offset === 0) this.#listed = snapshot(node);
    for (const { name, node: child, cookie } of this.#listed) {
      if (cookie <= offset) continue;
      if (cookie > 2 && node.children.get(name) !== child) continue;
      const entry = { name, offset: cookie, type: child.mode & S_IFMT, ino: child.id };
      if (!add(entry, child)) return;
    }
  }
}

function snapshot(node: MemoryNode): Listed[] {
  const children = [...node.children].map(([name, child]) => {
    return { name, node: child, cookie: node.cookies.get(name)! };
  });
  return [
    { name: '.', node, cookie: 1 },
    { name: '..', node: node.parent ?? node, cookie: 2 },
    ...children,
  ];
}
