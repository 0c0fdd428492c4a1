import { RequestBuffer } from './message-reader.js';

/** Writes under way whose data lies in a request buffer. That of further ones is copied: a slow writer holds no more than its own. */
const MAX_HELD = 8;
const MAX_IDLE = 4;

/**
 * Lends memory for requests. Write data is used after its handler returned: while it is, its buffer is not read into again.
 * INVARIANT: a buffer is idle, or has users; the reader that fills it is one of them.
 */
export class RequestBuffers {
  readonly #size: number;
  readonly #idle: RequestBuffer[] = [];
  #held = 0;

  constructor(size: number) {
    this.#size = size;
  }

  take(): RequestBuffer {
    const buffer = this.#idle.pop() ?? new RequestBuffer(this.#size);
    buffer.users = 1;
    return buffer;
  }

  /** Makes `data` of `buffer` last: returns what to pass on, and the buffer to drop() afterwards if it is held. */
  keep(buffer: RequestBuffer, data: Buffer): { data: Buffer; held: RequestBuffer | undefined } {
    if (this.#held >= MAX_HELD) return { data: Buffer.from(data), held: undefined };
    buffer.users += 1;
    this.#held += 1;
    return { data, held: buffer };
  }

  /** The data of keep() is used up. */
  drop(buffer: RequestBuffer): void {
    this.#held -= 1;
    this.release(buffer);
  }

  release(buffer: RequestBuffer): void {
    buffer.users -= 1;
    if (buffer.users === 0 && this.#idle.length < MAX_IDLE) this.#idle.push(buffer);
  }
}
