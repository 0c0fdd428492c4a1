/**
 * The kernel knows names for as long as it has memory to spare, and each of them costs a node here. Beyond a bound it is asked to forget
 * the oldest that it doesn't use.
 */
import type { Core } from './core.js';
import type { Node } from './node.js';

const BATCH = 2000;
/** Of the bound: until there are so few. */
const ENOUGH = 0.9;

export class Trim {
  readonly #core: Core;
  readonly #maxNodes: number;
  #running = false;
  /** Where the next round goes on: what is in use is not looked at again and again. */
  #next: IterableIterator<Node> | undefined;

  constructor(core: Core, maxNodes: number) {
    this.#core = core;
    this.#maxNodes = maxNodes;
  }

  /** There is a node more. */
  look(): void {
    if (this.#core.nodes.size <= this.#maxNodes || this.#running) return;
    if (this.#core.invalidator?.prune === undefined) return;
    this.#running = true;
    void this.#run().finally(() => (this.#running = false));
  }

  async #run(): Promise<void> {
    const { nodes } = this.#core;
    while (nodes.size > this.#maxNodes * ENOUGH) {
      const batch = this.#takeBatch();
      const { invalidator } = this.#core;
      if (batch.length === 0 || invalidator?.prune === undefined) return;
      await invalidator.prune(batch);
      // What it has forgotten is told before the next calls of programs.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** In the order in which they were made. Empty: all were looked at. */
  #takeBatch(): number[] {
    const batch: number[] = [];
    const next = (this.#next ??= this.#core.nodes.all());
    while (batch.length < BATCH) {
      const each = next.next();
      if (each.done === true) {
        this.#next = undefined;
        break;
      }
      const node = each.value;
      const unused = node.children.size === 0 && node.data === undefined && !node.isRoot;
      if (unused && node.lookups > 0) batch.push(node.id);
    }
    return batch;
  }
}
