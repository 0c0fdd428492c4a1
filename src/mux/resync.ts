import { HEADER_BYTES, HIGH_OFFSET, LOW_OFFSET, SIZE_OFFSET } from './frame.js';

/** What every response begins with, and so the first payload bytes of every id. */
const RESPONSE_START = Buffer.from('HTTP/1.', 'latin1');

/** How many frames a candidate is followed when their payloads are too short to show RESPONSE_START. */
const MAX_CHAIN_FRAMES = 16;

type Verdict = 'valid' | 'invalid' | 'undecided';

/**
 * Finds the first frame of this session behind stale bytes.
 *
 * What a former session left unread (on QEMU more than 20 MB, the first frame cut in the middle) arrives in front of the first
 * answer. An answer carries an id that was sent in this session, whose upper half is random; so the upper half is searched for,
 * and a hit counts when the id was sent, the size isn't 0 and the payload begins as an HTTP response does.
 */
export class ResyncScanner {
  readonly #prefix: number;
  readonly #pattern = Buffer.alloc(4);
  readonly #wasSent: (low: number) => boolean;
  /** Chunks joined to what was held; used again for each, as junk comes by the megabyte. */
  #joined: Buffer = Buffer.alloc(0);
  /** INVARIANT: holds no more than MAX_CHAIN_FRAMES frames with payloads shorter than RESPONSE_START. */
  #carry: Buffer = Buffer.alloc(0);
  /** Nothing has been thrown away in this session: it may well be clean. */
  #pristine: boolean;
  #junkBytes = 0;

  /** `pristine`: the scan begins with the first byte of the session. */
  constructor(prefix: number, wasSent: (low: number) => boolean, pristine: boolean) {
    this.#prefix = prefix;
    this.#pattern.writeUInt32LE(prefix);
    this.#wasSent = wasSent;
    this.#pristine = pristine;
  }

  /** Bytes thrown away so far. */
  get junkBytes(): number {
    return this.#junkBytes;
  }

  /** Bytes held back until more arrive. */
  get heldBytes(): number {
    return this.#carry.length;
  }

  /** Takes the next bytes. Returns those from the first valid frame on, once there is one. */
  scan(chunk: Buffer): Buffer | undefined {
    const data = this.#carry.length === 0 ? chunk : this.#join(chunk);
    let from = 0;
    for (;;) {
      const hit = data.indexOf(this.#pattern, from + HIGH_OFFSET);
      if (hit < 0) {
        this.#hold(data, Math.max(from, data.length - HIGH_OFFSET - 3));
        return undefined;
      }
      const start = hit - HIGH_OFFSET;
      const verdict = this.#judge(data, start, this.#pristine && start === 0);
      if (verdict === 'undecided') {
        this.#hold(data, start);
        return undefined;
      }
      if (verdict === 'valid') {
        this.#carry = Buffer.alloc(0);
        this.#junkBytes += start;
        return data === chunk ? data.subarray(start) : Buffer.from(data.subarray(start));
      }
      from = start + 1;
    }
  }

  #join(chunk: Buffer): Buffer {
    const length = this.#carry.length + chunk.length;
    if (this.#joined.length < length) this.#joined = Buffer.allocUnsafeSlow(length);
    this.#carry.copy(this.#joined);
    chunk.copy(this.#joined, this.#carry.length);
    return this.#joined.subarray(0, length);
  }

  #hold(data: Buffer, start: number): void {
    if (start > 0) this.#pristine = false;
    this.#junkBytes += start;
    this.#carry = Buffer.from(data.subarray(start));
  }

  /**
   * Follows frames from `start`: each must be of this session, and what is there of the first seven payload bytes of each id must
   * fit. Valid as soon as one id has shown all seven.
   */
  #judge(data: Buffer, start: number, pristine: boolean): Verdict {
    const shown = new Map<number, number>();
    let at = start;
    for (let frames = 0; frames < MAX_CHAIN_FRAMES; frames++) {
      if (data.length < at + HEADER_BYTES) return 'undecided';
      const low = data.readUInt32LE(at + LOW_OFFSET);
      if (data.readUInt32LE(at + HIGH_OFFSET) !== this.#prefix || !this.#wasSent(low)) {
        return 'invalid';
      }
      const size = data.readUInt16LE(at + SIZE_OFFSET);
      // An end without a payload shows nothing, so it is believed only where no stale byte came before it.
      if (size === 0 && frames === 0) return pristine ? 'valid' : 'invalid';
      const before = shown.get(low) ?? 0;
      const after = Math.min(before + size, RESPONSE_START.length);
      at += HEADER_BYTES;
      const there = Math.min(after - before, data.length - at);
      if (RESPONSE_START.compare(data, at, at + there, before, before + there) !== 0) {
        return 'invalid';
      }
      if (there < after - before) return 'undecided';
      if (after === RESPONSE_START.length) return 'valid';
      shown.set(low, after);
      at += size;
    }
    return 'valid';
  }
}
