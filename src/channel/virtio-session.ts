/**
 * One session on an open virtio port, as Linux's virtio_console has it:
 *
 * - read(2) gives at most one page at a time, and 0 as soon as the host is not connected;
 * - write(2) takes at most 32 KiB, and each segment of a writev(2) becomes a transfer of its own with its own exit to the
 *   hypervisor; so small pieces are put together first, and only here are bytes copied;
 * - the host's leaving shows as POLLHUP, which stays until it returns.
 */
import type { FdIo, Readiness } from '../native/binding.js';
import { ReceiveMemory } from '../receive-memory.js';
import type { ChannelSession, ChannelSink } from './channel.js';
import { ChannelError } from './errors.js';

/** virtio_console's own limit (port_fops_write). */
export const MAX_WRITE_BYTES = 32 * 1024;
export const HIGH_WATER_BYTES = 1024 * 1024;
/** A page, the most that one read gives; with less room a new block of memory is begun. */
const MIN_ROOM_BYTES = 4096;
/** So that a fast host leaves a turn of the event loop to everybody else. */
const MAX_READS_PER_TURN = 64;

export class VirtioSession implements ChannelSession {
  readonly #address: string;
  readonly #io: FdIo;
  readonly #sink: ChannelSink;
  readonly #onEnd: () => void;
  readonly #memory = new ReceiveMemory(MIN_ROOM_BYTES);
  #queue: Uint8Array[] = [];
  /** Index of the first buffer in `#queue` that has bytes left, and how many of its bytes are gone. */
  #head = 0;
  #headOffset = 0;
  /** INVARIANT: the bytes of `#queue` from `#head` on, less `#headOffset`. */
  #queuedBytes = 0;
  #scratch: Buffer | undefined;
  #flushScheduled = false;
  #waitsForRoom = false;
  #needDrain = false;
  #over = false;

  /** Owns `io` from here on. `onEnd` is called as soon as the port is closed, before the sink's `onClose`. */
  constructor(address: string, io: FdIo, sink: ChannelSink, onEnd: () => void) {
    this.#address = address;
    this.#io = io;
    this.#sink = sink;
    this.#onEnd = onEnd;
  }

  start(): void {
    this.#io.watch(true, false, this.#onReady);
  }

  write(buffers: readonly Uint8Array[]): boolean {
    if (this.#over) return true;
    for (const buffer of buffers) {
      if (buffer.length === 0) continue;
      this.#queue.push(buffer);
      this.#queuedBytes += buffer.length;
    }
    if (this.#queuedBytes > 0 && !this.#flushScheduled && !this.#waitsForRoom) {
      this.#flushScheduled = true;
      // Later in this turn, so that all frames of the turn share a transfer.
      queueMicrotask(() => {
        this.#flushScheduled = false;
        if (!this.#waitsForRoom) this.#flush();
      });
    }
    if (this.#queuedBytes <= HIGH_WATER_BYTES) return true;
    this.#needDrain = true;
    return false;
  }

  close(): void {
    this.#end();
  }

  readonly #onReady = (ready: Readiness): void => {
    // A port that was unplugged shows a hang-up alone, and says why when it is read.
    const count = ready.readable || ready.hangup ? this.#readAll() : -1;
    if (this.#over) return;
    if (ready.hangup) {
      // After the rest of the data only: a host that wrote and left at once has said something.
      if (count < 0) this.#end();
    } else if (ready.writable && this.#waitsForRoom) {
      this.#flush();
    }
  };

  /** What the last read gave: -1 for nothing more now. */
  #readAll(): number {
    let room = this.#memory.room();
    let start = 0;
    let reads = 0;
    let count = 1;
    try {
      do {
        if (room.length - start < MIN_ROOM_BYTES) {
          this.#deliver(start);
          if (this.#over) return 0;
          room = this.#memory.room();
          start = 0;
        }
        count = this.#io.read(room, start);
        if (count > 0) start += count;
        reads += 1;
      } while (count > 0 && reads < MAX_READS_PER_TURN);
    } catch (error) {
      this.#deliver(start);
      this.#end(this.#failure(error));
      return 0;
    }
    this.#deliver(start);
    // 0 means that the host is away at this moment, even when it is back before anybody polls: all ids are dead.
    if (count === 0) this.#end();
    return count;
  }

  #deliver(length: number): void {
    if (length === 0 || this.#over) return;
    this.#sink.onData(this.#memory.take(length));
  }

  /** One write; the rest when the event loop has come round and there is room. */
  #flush(): void {
    if (this.#over || this.#queuedBytes === 0) return;
    try {
      const piece = this.#nextPiece();
      const written = this.#io.writev([piece]);
      if (written > 0) this.#consume(written);
      this.#waitForRoom(this.#queuedBytes > 0);
    } catch (error) {
      this.#end(this.#failure(error));
      return;
    }
    if (this.#queuedBytes === 0 && this.#needDrain) {
      this.#needDrain = false;
      this.#sink.onDrain();
    }
  }

  /** Up to MAX_WRITE_BYTES of the queue in one piece; not copied when the first buffer has as many. */
  #nextPiece(): Uint8Array {
    const first = this.#queue[this.#head]!;
    const offset = this.#headOffset;
    const wanted = Math.min(MAX_WRITE_BYTES, this.#queuedBytes);
    if (first.length - offset >= wanted) return first.subarray(offset, offset + wanted);
    this.#scratch ??= Buffer.allocUnsafeSlow(MAX_WRITE_BYTES);
    let at = 0;
    let from = offset;
    for (let index = this.#head; at < wanted; index++) {
      const buffer = this.#queue[index]!;
      const part = buffer.subarray(from, from + wanted - at);
      this.#scratch.set(part, at);
      at += part.length;
      from = 0;
    }
    return this.#scratch.subarray(0, wanted);
  }

  #consume(count: number): void {
    this.#queuedBytes -= count;
    let left = count + this.#headOffset;
    while (this.#head < this.#queue.length && left >= this.#queue[this.#head]!.length) {
      left -= this.#queue[this.#head]!.length;
      this.#head += 1;
    }
    this.#headOffset = left;
    // Now and then, so that sent buffers can be freed and taking from the front costs nothing.
    if (this.#head === this.#queue.length || this.#head > 256) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #waitForRoom(wait: boolean): void {
    if (wait === this.#waitsForRoom) return;
    this.#waitsForRoom = wait;
    this.#io.watch(true, wait, this.#onReady);
  }

  #failure(error: unknown): ChannelError {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENODEV' || code === 'ENXIO') {
      return new ChannelError('CHANNEL_CLOSED', `${this.#address}: the device was removed`, {
        cause: error,
      });
    }
    return new ChannelError('CHANNEL_FAILED', `${this.#address}: ${String(error)}`, {
      cause: error,
    });
  }

  #end(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#io.close();
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#onEnd();
    // Never from inside a call of the sink's own, and never before `open` has resolved.
    setImmediate(() => {
      this.#sink.onClose(error);
    });
  }
}
