import type { HttpBody, HttpBodySource } from './types.js';

/** Pieces in which a large body at hand is sent, so that its progress can be seen. */
const PIECE_BYTES = 256 * 1024;

export function bodySize(body: HttpBody): number | undefined {
  return body instanceof Uint8Array ? body.byteLength : body.size;
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    yield bytes.subarray(at, at + PIECE_BYTES);
  }
}

function fromSync<T>(values: Iterator<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(values.next()) }) };
}

function piecesOf(bytes: Uint8Array): HttpBodySource {
  return {
    size: bytes.byteLength,
    open: () => fromSync(slices(bytes)),
  };
}

/** What undici is given for a body: nothing, bytes, or a `BodyFeed` over the source. */
export function toSendable(body: HttpBody | undefined): Buffer | BodyFeed | undefined {
  if (body === undefined || bodySize(body) === 0) return undefined;
  if (!(body instanceof Uint8Array)) return new BodyFeed(body);
  if (body.byteLength > PIECE_BYTES) return new BodyFeed(piecesOf(body));
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

/**
 * One reading of a body source for one attempt. Counts what was taken, and tells whether the request waits for the peer or
 * for the source: a slow source is not the peer's silence.
 */
export class BodyFeed implements AsyncIterable<Uint8Array> {
  readonly size: number | undefined;
  /** Pieces taken so far: each one taken says that the former ones went out. */
  taken = 0;
  waitingForSource = false;
  /** What the source itself failed with. */
  sourceError: unknown;
  readonly #source: HttpBodySource;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #stopped = false;

  constructor(source: HttpBodySource) {
    this.#source = source;
    this.size = source.size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const iterator = this.#source.open()[Symbol.asyncIterator]();
    this.#iterator = iterator;
    while (!this.#stopped) {
      const next = await this.#next(iterator);
      if (next.done === true) {
        this.#iterator = undefined;
        return;
      }
      this.taken += 1;
      yield next.value;
    }
  }

  async #next(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    this.waitingForSource = true;
    try {
      return await iterator.next();
    } catch (error) {
      this.sourceError = error;
      this.#iterator = undefined;
      throw error;
    } finally {
      this.waitingForSource = false;
    }
  }

  /**
   * The request is over: gives the source back. Needed because undici stops pulling without telling the iterator when the
   * connection closes while it waits for a drain.
   */
  stop(): void {
    this.#stopped = true;
    const iterator = this.#iterator;
    this.#iterator = undefined;
    iterator?.return?.().then(undefined, () => undefined);
  }
}
