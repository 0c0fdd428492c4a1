import { write } from 'node:fs';
import { promisify } from 'node:util';

import type { FdIo } from '../native/binding.js';
import type { RequestBuffer } from './message-reader.js';
import type { FuseTransport } from './replier.js';
import type { BusyPolling } from './busy-polling.js';
import { REQUEST_BYTES, type FuseSession } from './session.js';

const writeFile = promisify(write);

const MAX_MESSAGES = 256;
/** Batches read in one turn of the event loop before others get theirs. */
const MAX_BATCHES_PER_TURN = 16;

/** Replies go out through the descriptor of /dev/fuse. */
export class DeviceTransport implements FuseTransport {
  readonly #io: FdIo;

  constructor(io: FdIo) {
    this.#io = io;
  }

  send(message: readonly Uint8Array[]): void {
    // The device takes a whole message or none, and is always writable.
    if (this.#io.writev(message) >= 0) return;
    throw Object.assign(new Error('the FUSE device is not writable'), { code: 'EAGAIN' });
  }

  async sendBlocking(message: Uint8Array): Promise<void> {
    await writeFile(this.#io.fd, message);
  }
}

/** Reads requests from /dev/fuse and hands them to the session, until the kernel closes it. */
export class DeviceReader {
  readonly #io: FdIo;
  readonly #session: FuseSession;
  readonly #ends = new Uint32Array(MAX_MESSAGES);
  /** Most callers wait for the answer before they ask for more: to look for a second request before that is in vain. */
  readonly #firstEnd = this.#ends.subarray(0, 1);
  readonly #onEnd: (error: unknown) => void;
  #buffer: RequestBuffer;
  readonly #polling: BusyPolling;
  #ended = false;

  /** `onEnd` is called once, with the error that reading ended with: ENODEV after an unmount, ECONNABORTED after an abort. */
  constructor(
    io: FdIo,
    session: FuseSession,
    polling: BusyPolling,
    onEnd: (error: unknown) => void,
  ) {
    this.#io = io;
    this.#polling = polling;
    this.#session = session;
    this.#onEnd = onEnd;
    this.#buffer = session.buffers.take();
  }

  start(): void {
    this.#io.watch(true, false, () => this.#drain());
  }

  /** Stops reading. */
  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#io.watch(false, false, () => undefined);
    this.#session.buffers.release(this.#buffer);
  }

  #drain(): void {
    try {
      for (let batch = 0; batch < MAX_BATCHES_PER_TURN && !this.#ended; batch += 1) {
        // After replies; but what a request waits for comes by the event loop.
        const polls = batch > 0 && this.#session.pendingRequests === 0;
        const ends = batch === 0 ? this.#firstEnd : this.#ends;
        if (!this.#readBatch(ends, polls ? this.#polling.begin() : 0)) return;
      }
    } catch (error) {
      this.stop();
      this.#onEnd(error);
    }
  }

  /** False when nothing was there. */
  #readBatch(ends: Uint32Array, spinUs: number): boolean {
    const buffer = this.#buffer;
    const messages = this.#io.readBatch(buffer.bytes, ends, REQUEST_BYTES, spinUs);
    if (spinUs > 0) this.#polling.end(messages > 0);
    let start = 0;
    for (let index = 0; index < messages; index += 1) {
      const end = ends[index]!;
      this.#session.handle(buffer, start, end);
      start = (end + 7) & ~7;
    }
    if (buffer.users > 1) {
      // A write still uses its data in it.
      this.#session.buffers.release(buffer);
      this.#buffer = this.#session.buffers.take();
    }
    return messages > 0;
  }
}
