/** A map from client_ids, as two unsigned halves, to values. The id asked for last is answered without a look-up. */
export class IdTable<Value> {
  readonly #byHigh = new Map<number, Map<number, Value>>();
  #lastHigh = -1;
  #lastLow = -1;
  #last: Value | undefined;

  get(high: number, low: number): Value | undefined {
    if (high === this.#lastHigh && low === this.#lastLow) return this.#last;
    this.#lastHigh = high;
    this.#lastLow = low;
    this.#last = this.#byHigh.get(high)?.get(low);
    return this.#last;
  }

  set(high: number, low: number, value: Value): void {
    let byLow = this.#byHigh.get(high);
    if (byLow === undefined) {
      byLow = new Map<number, Value>();
      this.#byHigh.set(high, byLow);
    }
    byLow.set(low, value);
    this.#lastHigh = -1;
  }

  /** Removes `value`, unless the id belongs to another one by now: ids may be used again at once. */
  delete(high: number, low: number, value: Value): boolean {
    const byLow = this.#byHigh.get(high);
    if (byLow?.get(low) !== value) return false;
    byLow.delete(low);
    // One is left empty: it would be made anew for each id of an opener that has one at a time.
    if (byLow.size === 0 && this.#byHigh.size > 1) this.#byHigh.delete(high);
    this.#lastHigh = -1;
    return true;
  }
}
