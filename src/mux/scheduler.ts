import type { MuxCounters } from './counters.js';
import { encodeHeader, HEADER_BYTES, MAX_PAYLOAD_BYTES } from './frame.js';

/** Something with frames to send on one id. */
export interface FrameSource {
  readonly high: number;
  readonly low: number;
  readonly metadata: boolean;
  /** Moves at most `limit` bytes of payload to `out` and returns how many; 0 ends the id; undefined: nothing to send. */
  takePayload(limit: number, out: Uint8Array[]): number | undefined;
  readonly hasMore: boolean;
  /** What was taken has been handed to the channel, and has left it if that took time. May add to the scheduler. */
  onHanded(): void;
}

/**
 * Bytes handed to the channel in one go. What the channel holds can't be taken back when a stream is cancelled, so this is also
 * about the most that a cancelled stream can still send.
 */
const BATCH_BYTES = 256 * 1024;

/** Frames of metadata streams that go before one frame of a waiting bulk stream. */
const METADATA_FRAMES_PER_BULK_FRAME = 8;

/** In the place of a header whose size isn't known yet. */
const NO_BYTES = new Uint8Array(0);

/** How long an end waits for a frame to go with: about as long as a program takes between two system calls, and some. */
const LATE_END_MS = 5;

/** Ends of ids waiting to be sent. A peer that opens ids without reading what comes back gets no more than these. */
const MAX_WAITING_ENDS = 4096;

/**
 * Decides whose frame goes next: one frame per stream and turn, metadata first, never so that bulk starves. Nothing is handed on
 * while the channel's queue is over its mark, and payloads go out as they came: header and slices in one vector.
 */
export class FrameScheduler {
  readonly #write: (buffers: readonly Uint8Array[]) => boolean;
  readonly #counters: MuxCounters;
  /** In the order of turns, each once. Mostly one or none, for which a Set costs more than it saves. */
  readonly #metadata: FrameSource[] = [];
  readonly #bulk: FrameSource[] = [];
  #ends: Buffer[] = [];
  /** Sources of the batch that the channel could not pass on at once. */
  #leaving: readonly FrameSource[] = [];
  #metadataTurns = METADATA_FRAMES_PER_BULK_FRAME;
  #lateEnds: NodeJS.Timeout | undefined;
  #blocked = false;
  #scheduled = false;
  #stopped = false;

  constructor(write: (buffers: readonly Uint8Array[]) => boolean, counters: MuxCounters) {
    this.#write = write;
    this.#counters = counters;
  }

  add(source: FrameSource): void {
    this.#enqueue(source);
    this.#schedule();
  }

  remove(source: FrameSource): void {
    const queue = this.#queueOf(source);
    const at = queue.indexOf(source);
    if (at >= 0) queue.splice(at, 1);
  }

  #enqueue(source: FrameSource): void {
    const queue = this.#queueOf(source);
    if (!queue.includes(source)) queue.push(source);
  }

  #queueOf({ metadata }: FrameSource): FrameSource[] {
    return metadata ? this.#metadata : this.#bulk;
  }

  /** Sends an end-of-stream frame for an id that has nothing else to send any more. */
  sendEnd(high: number, low: number): void {
    this.#queueEnd(high, low);
    this.#schedule();
  }

  /** The same where nobody waits for the end: it goes with the next frame, instead of costing both sides a system call of its own. */
  sendEndLater(high: number, low: number): void {
    this.#queueEnd(high, low);
    this.#lateEnds ??= setTimeout(() => {
      this.#lateEnds = undefined;
      this.#schedule();
    }, LATE_END_MS);
  }

  #queueEnd(high: number, low: number): void {
    if (this.#ends.length < MAX_WAITING_ENDS) this.#ends.push(encodeHeader(high, low, 0));
  }

  onDrain(): void {
    this.#blocked = false;
    const left = this.#leaving;
    this.#leaving = [];
    for (const source of left) source.onHanded();
    this.#flush();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#lateEnds);
    this.#metadata.length = 0;
    this.#bulk.length = 0;
    this.#ends = [];
    this.#leaving = [];
  }

  /** All that is written in one turn of the event loop goes out together. */
  #schedule(): void {
    if (this.#scheduled || this.#blocked || this.#stopped) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#blocked && !this.#stopped) {
      const batch: Uint8Array[] = this.#ends;
      this.#ends = [];
      this.#counters.framesOut += batch.length;
      const handed = this.#fill(batch);
      if (batch.length === 0) return;
      this.#blocked = !this.#write(batch);
      if (this.#blocked) this.#leaving = handed;
      else for (const source of handed) source.onHanded();
    }
  }

  /** Appends frames to `batch`. Returns the sources that have given their last one for now. */
  #fill(batch: Uint8Array[]): FrameSource[] {
    const handed: FrameSource[] = [];
    let bytes = batch.length * HEADER_BYTES;
    while (bytes < BATCH_BYTES) {
      const source = this.#next();
      if (source === undefined) break;
      const header = batch.push(NO_BYTES) - 1;
      const size = source.takePayload(MAX_PAYLOAD_BYTES, batch);
      if (size === undefined) {
        batch.pop();
        continue;
      }
      batch[header] = encodeHeader(source.high, source.low, size);
      bytes += HEADER_BYTES + size;
      this.#counters.framesOut += 1;
      if (source.hasMore) this.#enqueue(source);
      else handed.push(source);
    }
    this.#counters.bytesOut += bytes;
    return handed;
  }

  #next(): FrameSource | undefined {
    const metadataFirst = this.#metadataTurns > 0 || this.#bulk.length === 0;
    const queue = metadataFirst && this.#metadata.length > 0 ? this.#metadata : this.#bulk;
    if (queue === this.#metadata) this.#metadataTurns -= 1;
    else this.#metadataTurns = METADATA_FRAMES_PER_BULK_FRAME;
    return queue.shift();
  }
}
