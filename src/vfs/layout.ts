/** Which bytes of an open file are here, and which are at the peer only, in the version that was opened. */
import type { Awaitable } from './filesystem.js';
import { ExtentSet, type ByteExtent } from './extent-set.js';

type Read = (offset: number, length: number) => Awaitable<readonly Uint8Array[]>;

export interface Sources {
  /** May give less where the rest is zero. */
  readonly local: Read;
  readonly base: Read;
}

const ZEROS_BYTES = 1024 * 1024;

export class Layout {
  /** From here on nothing is at the peer. */
  #baseEnd: number;
  /** What is here before that. */
  readonly #here: ExtentSet;

  constructor(baseEnd: number, here = new ExtentSet()) {
    this.#baseEnd = baseEnd;
    this.#here = here;
  }

  get pieces(): number {
    return this.#here.count;
  }

  get isWhole(): boolean {
    return this.#here.covers(0, this.#baseEnd);
  }

  written(start: number, end: number): void {
    this.#here.add(start, Math.min(end, this.#baseEnd));
    if (!this.isWhole) return;
    this.#baseEnd = 0;
    this.#here.clear();
  }

  cut(size: number): void {
    this.#baseEnd = Math.min(this.#baseEnd, size);
    this.#here.cut(size);
  }

  copy(): Layout {
    return new Layout(this.#baseEnd, this.#here.copy());
  }

  /** The first range that isn't here. */
  gapFrom(offset: number): ByteExtent | undefined {
    for (const range of this.gapsIn(offset, this.#baseEnd)) return range;
    return undefined;
  }

  gapsIn(start: number, end: number): ByteExtent[] {
    return [...this.#here.split(start, Math.min(end, this.#baseEnd))].filter(
      ({ inside }) => !inside,
    );
  }

  /** The bytes [start, end), in order. */
  read(start: number, end: number, sources: Sources): Awaitable<readonly Uint8Array[]> {
    if (start >= end) return [];
    if (start >= this.#baseEnd || this.#here.covers(start, Math.min(end, this.#baseEnd)))
      return readLocal(sources.local, start, end);
    return this.#gather(start, end, sources);
  }

  async #gather(start: number, end: number, { local, base }: Sources): Promise<Uint8Array[]> {
    const inBase = Math.min(end, this.#baseEnd);
    const ranges = [...this.#here.split(start, inBase), { start: inBase, end, inside: true }];
    // All at once: what is fetched, is fetched in parallel.
    const parts = ranges.map(async (range) =>
      range.inside
        ? readLocal(local, range.start, range.end)
        : base(range.start, range.end - range.start),
    );
    return (await Promise.all(parts)).flat();
  }
}

async function padded(
  pieces: Awaitable<readonly Uint8Array[]>,
  length: number,
): Promise<readonly Uint8Array[]> {
  return pad(await pieces, length);
}

function readLocal(local: Read, start: number, end: number): Awaitable<readonly Uint8Array[]> {
  const pieces = local(start, end - start);
  return pieces instanceof Promise ? padded(pieces, end - start) : pad(pieces, end - start);
}

function pad(pieces: readonly Uint8Array[], length: number): readonly Uint8Array[] {
  let missing = length;
  for (const piece of pieces) missing -= piece.length;
  if (missing === 0) return pieces;
  const all = [...pieces];
  for (; missing > 0; missing -= ZEROS_BYTES)
    all.push(Buffer.alloc(Math.min(missing, ZEROS_BYTES)));
  return all;
}
