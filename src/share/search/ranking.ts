/** The results of an ordered search: the best so many, kept while the search goes on. */
import type { Subject } from '../live-properties.js';
import {
  compareValues,
  readValue,
  typeOfProperty,
  type ContentReader,
  type PropertyValue,
} from './property-value.js';
import type { OrderKey } from './query.js';

export type SortKeys = readonly (PropertyValue | undefined)[];

interface Ranked {
  readonly keys: SortKeys;
  /** Among equals, first come, first served. */
  readonly arrival: number;
  readonly response: string;
}

export interface RankingBounds {
  readonly results: number;
  readonly characters: number;
}

export class Ranking {
  /** Set when a result was dropped for better ones. */
  incomplete = false;
  readonly #order: readonly OrderKey[];
  readonly #readers: readonly ((subject: Subject) => PropertyValue | undefined)[];
  readonly #bounds: RankingBounds;
  /** A heap: the worst is first, each is no better than its children at 2i+1 and 2i+2. */
  readonly #heap: Ranked[] = [];
  #characters = 0;
  #arrivals = 0;

  constructor(order: readonly OrderKey[], read: ContentReader, bounds: RankingBounds) {
    this.#order = order;
    this.#bounds = bounds;
    this.#readers = order.map(({ property }) => {
      const content = read(property);
      const type = typeOfProperty(property);
      return (subject) => readValue(content(subject), type);
    });
  }

  keysOf(subject: Subject): SortKeys {
    return this.#readers.map((read) => read(subject));
  }

  /** False when it would be dropped at once. */
  wants(keys: SortKeys): boolean {
    const worst = this.#heap[0];
    if (!worst || this.#heap.length < this.#bounds.results) return true;
    const wanted = this.#compare(keys, worst.keys) < 0;
    if (!wanted) this.incomplete = true;
    return wanted;
  }

  add(keys: SortKeys, response: string): void {
    this.#push({ keys, arrival: this.#arrivals++, response });
    this.#characters += response.length;
    while (
      this.#heap.length > this.#bounds.results ||
      (this.#characters > this.#bounds.characters && this.#heap.length > 1)
    ) {
      this.#characters -= this.#pop()!.response.length;
      this.incomplete = true;
    }
  }

  /** In order; empties it. */
  *take(): Generator<string, void, undefined> {
    const sorted = this.#heap.splice(0).sort((a, b) => this.#rank(a, b));
    for (const { response } of sorted) yield response;
  }

  /** Negative: a goes before b. */
  #compare(a: SortKeys, b: SortKeys): number {
    for (const [index, { descending, caseless }] of this.#order.entries()) {
      const order = compareKeys(a[index], b[index], caseless);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  }

  #rank(a: Ranked, b: Ranked): number {
    return this.#compare(a.keys, b.keys) || a.arrival - b.arrival;
  }

  #push(ranked: Ranked): void {
    const heap = this.#heap;
    let at = heap.push(ranked) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#rank(heap[parent]!, ranked) >= 0) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = ranked;
  }

  #pop(): Ranked | undefined {
    const heap = this.#heap;
    const [worst] = heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return worst;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right && this.#rank(right, heap[child]!) > 0) child++;
      if (this.#rank(last, heap[child]!) >= 0) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return worst;
  }
}

/** What isn't there goes before everything that is (section 5.6). */
function compareKeys(
  a: PropertyValue | undefined,
  b: PropertyValue | undefined,
  caseless: boolean,
): number {
  if (a && b) return compareValues(a, b, caseless);
  return a ? 1 : b ? -1 : 0;
}
