/** A small reproducible generator (mulberry32); the seed comes from TEST_SEED or the clock and is for the test to print. */
export class SeededRandom {
  readonly seed: number;
  #state: number;

  constructor(seed = Number(process.env['TEST_SEED'] ?? Date.now() % 0x7fffffff)) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Whole number in [low, high). */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low));
  }

  bytes(length: number): Buffer {
    const out = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at++) out[at] = this.next() * 256;
    return out;
  }
}
