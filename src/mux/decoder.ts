import { giveBack } from '../receive-memory.js';
import { HEADER_BYTES, HIGH_OFFSET, LOW_OFFSET, SIZE_OFFSET } from './frame.js';

/** Told what a `FrameDecoder` finds, in wire order: one `onHeader`, then pieces that add up to `size`. */
export interface FrameSink {
  /** False: this can't be a header here. The decoder stops and hands back the bytes from this header on. */
  onHeader(high: number, low: number, size: number): boolean;
  /** A part of the payload last announced: a slice of the chunk it arrived in, never copied, never empty. */
  onPayload(piece: Buffer): void;
}

/**
 * Cuts a byte stream into frames, however it was cut before. Holds back at most the nine bytes of a header that isn't complete.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  /** INVARIANT: #headerBytes < HEADER_BYTES between calls, and 0 while #payloadLeft > 0. */
  #headerBytes = 0;
  #payloadLeft = 0;
  #stopped = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** The sink wants no more: the rest of the chunk at hand, and all that follow, are ignored. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes the next bytes. Returns what follows (and contains) a header that the sink refused; the decoder is then as new. */
  decode(chunk: Buffer): Buffer | undefined {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#payloadLeft > 0) {
        const end = Math.min(at + this.#payloadLeft, chunk.length);
        this.#payloadLeft -= end - at;
        this.#sink.onPayload(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
        at = end;
      } else if (this.#headerBytes === 0 && chunk.length - at >= HEADER_BYTES) {
        if (!this.#announce(chunk, at)) return chunk.subarray(at);
        giveBack(chunk.buffer, HEADER_BYTES);
        at += HEADER_BYTES;
      } else {
        at = this.#collectHeader(chunk, at);
        if (this.#headerBytes < HEADER_BYTES) return undefined;
        this.#headerBytes = 0;
        if (!this.#announce(this.#header, 0)) {
          return Buffer.concat([this.#header, chunk.subarray(at)]);
        }
      }
    }
    return undefined;
  }

  #collectHeader(chunk: Buffer, at: number): number {
    const end = Math.min(at + HEADER_BYTES - this.#headerBytes, chunk.length);
    this.#headerBytes += chunk.copy(this.#header, this.#headerBytes, at, end);
    giveBack(chunk.buffer, end - at);
    return end;
  }

  #announce(bytes: Buffer, at: number): boolean {
    const size = bytes.readUInt16LE(at + SIZE_OFFSET);
    const low = bytes.readUInt32LE(at + LOW_OFFSET);
    const high = bytes.readUInt32LE(at + HIGH_OFFSET);
    if (!this.#sink.onHeader(high, low, size)) return false;
    this.#payloadLeft = size;
    return true;
  }
}
