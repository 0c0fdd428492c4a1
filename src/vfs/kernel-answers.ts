/** What the kernel is told of nodes, and for how long it may believe it. */
import { attributesOf } from './attributes.js';
import type { Core } from './core.js';
import type { Attributes, AttributesAnswer, Entry } from './filesystem.js';
import type { Node } from './node.js';
import { sameVersion, versionOf } from './reader/versions.js';

const ZERO = { sec: 0, nsec: 0 };
const NO_ATTRIBUTES: Attributes = {
  ino: 0,
  size: 0,
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  rdev: 0,
  blksize: 0,
  blocks: 0,
  atime: ZERO,
  mtime: ZERO,
  ctime: ZERO,
};

export class KernelAnswers {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  attributes(node: Node): Attributes {
    return attributesOf(node, this.#core.options, this.#core.client.knownProfile);
  }

  /** Attributes that the kernel will remember. */
  answer(node: Node): AttributesAnswer {
    node.told = node.resource;
    return { attributes: this.attributes(node), attrTimeoutMs: this.timeLeftMs(node) };
  }

  /**
   * Before an open is answered: what the kernel remembers may be of an older version than the one that is opened, and it would end
   * reads at the old size.
   */
  async tellKernel(node: Node): Promise<void> {
    const { told, resource } = node;
    if (told === undefined || sameVersion(versionOf(told), versionOf(resource))) return;
    node.told = resource;
    await this.#core.invalidator?.inode(node.id, 0, 0);
  }

  /** Milliseconds for which the kernel may use what we know of the node. */
  timeLeftMs(node: Node): number {
    if (node.isLocal) return this.#core.options.attrTtlMs;
    if (!this.#core.isFresh(node)) return 0;
    // No longer than without a feed: when that ends, the kernel need not be told of everything it remembers.
    if (this.#core.watch.coversNode(node)) return this.#core.options.attrTtlMs;
    return Math.max(
      0,
      Math.min(
        this.#core.options.attrTtlMs,
        node.resourceAt + this.#core.options.attrTtlMs - this.#core.now(),
      ),
    );
  }

  /** Counts one kernel reference. `namedAt`: when the peer told that the name leads there, if not together with the attributes. */
  entry(found: Node, namedAt = Infinity): Entry {
    const node = this.#core.nodes.present(found);
    node.lookups += 1;
    this.#core.trim.look();
    const answer = this.answer(node);
    const left = Math.max(0, namedAt + this.#core.options.attrTtlMs - this.#core.now());
    const entryTimeoutMs = Math.min(answer.attrTimeoutMs, left);
    return { nodeId: node.id, ...answer, entryTimeoutMs };
  }

  /** There is no such name, as was told last. */
  absent(parent: Node, name: string): Entry {
    const { cache, watch } = this.#core;
    const at = cache.find(parent.id, name, -Infinity)?.at ?? -Infinity;
    if (watch.coversName(parent, name, undefined, at)) return this.noEntry(this.#core.now());
    return this.noEntry(watch.isNameFresh(parent, name, undefined, at) ? at : -Infinity);
  }

  noEntry(at: number): Entry {
    const left = Math.max(0, at + this.#core.options.negativeTtlMs - this.#core.now());
    return { nodeId: 0, attributes: NO_ATTRIBUTES, entryTimeoutMs: left, attrTimeoutMs: 0 };
  }
}
