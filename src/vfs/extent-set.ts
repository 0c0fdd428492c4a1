/** Which bytes of a file something is true of: ranges that ascend, and neither overlap nor touch. */
export interface ByteExtent {
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
}

export class ExtentSet {
  /** INVARIANT: starts[i] < ends[i] < starts[i + 1]. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  get count(): number {
    return this.#starts.length;
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    const starts = this.#starts;
    const ends = this.#ends;
    // Those from `first` to before `after` overlap or touch the new one.
    const first = indexFrom(ends, start);
    const after = indexFrom(starts, end + 1);
    if (first === after) {
      starts.splice(first, 0, start);
      ends.splice(first, 0, end);
      return;
    }
    const from = Math.min(start, starts[first]!);
    const to = Math.max(end, ends[after - 1]!);
    starts[first] = from;
    ends[first] = to;
    if (after - first === 1) return;
    starts.splice(first + 1, after - first - 1);
    ends.splice(first + 1, after - first - 1);
  }

  /** Nothing from `size` on. */
  cut(size: number): void {
    const keep = indexFrom(this.#starts, size);
    this.#starts.length = keep;
    this.#ends.length = keep;
    if (keep > 0 && this.#ends[keep - 1]! > size) this.#ends[keep - 1] = size;
  }

  clear(): void {
    this.cut(0);
  }

  /** Does it have all of [start, end)? */
  covers(start: number, end: number): boolean {
    if (start >= end) return true;
    const at = indexFrom(this.#ends, start + 1);
    return at < this.count && this.#starts[at]! <= start && end <= this.#ends[at]!;
  }

  /** What of [start, end) is in it, and what not, in order. */
  *split(start: number, end: number): Generator<ByteExtent & { readonly inside: boolean }> {
    let at = start;
    for (let index = indexFrom(this.#ends, start + 1); at < end; index += 1) {
      const from = Math.min(this.#starts[index] ?? end, end);
      if (at < from) yield { start: at, end: from, inside: false };
      if (from >= end) return;
      const to = Math.min(this.#ends[index]!, end);
      yield { start: Math.max(at, from), end: to, inside: true };
      at = to;
    }
  }

  list(): readonly ByteExtent[] {
    return this.#starts.map((start, index) => ({ start, end: this.#ends[index]! }));
  }

  copy(): ExtentSet {
    const copy = new ExtentSet();
    for (let index = 0; index < this.count; index += 1) {
      copy.#starts.push(this.#starts[index]!);
      copy.#ends.push(this.#ends[index]!);
    }
    return copy;
  }
}

/** Of all `extents`, how much lies before `limit`. */
export function bytesBefore(extents: readonly ByteExtent[], limit = Infinity): number {
  let sum = 0;
  for (const { start, end } of extents) sum += Math.max(0, Math.min(end, limit) - start);
  return sum;
}

/** Index of the first value that is at least `value`. REQUIRES: `values` ascend. */
function indexFrom(values: readonly number[], value: number): number {
  let low = 0;
  let high = values.length;
  // Mostly files are written from the beginning to the end.
  if (high > 0 && values[high - 1]! < value) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
