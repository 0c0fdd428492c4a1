import { decodeName } from '../names.js';
import { FsError } from '../vfs/filesystem.js';
import { IN_HEADER_BYTES } from './protocol.js';

/** Memory that requests are read into. Offsets of messages in it are multiples of 8. */
export class RequestBuffer {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  /** Handlers that still use a part of it. */
  users = 0;

  constructor(size: number) {
    // Its own ArrayBuffer at offset 0: typed arrays over it need the alignment.
    const memory = new ArrayBuffer(size);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory, 0, size >> 2);
  }
}

function join(high: number, low: number): number {
  return high * 0x1_0000_0000 + low;
}

/**
 * Reads one request: a fixed struct after fuse_in_header, then NUL-terminated names, then data. One instance is moved from message
 * to message; what it returns (but for `data`) is a copy.
 */
export class MessageReader {
  #buffer = new RequestBuffer(0);
  #start = 0;
  #body = 0;
  #end = 0;
  #cursor = 0;

  /** Points it to the message [start, end). False when the header does not describe it. */
  open(buffer: RequestBuffer, start: number, end: number): boolean {
    this.#buffer = buffer;
    this.#start = start;
    this.#body = start + IN_HEADER_BYTES;
    this.#end = end;
    this.#cursor = this.#body;
    return end - start >= IN_HEADER_BYTES && buffer.words[start >> 2] === end - start;
  }

  get buffer(): RequestBuffer {
    return this.#buffer;
  }

  // fuse_in_header

  get opcode(): number {
    return this.#word(this.#start + 4);
  }
  get uniqueLow(): number {
    return this.#word(this.#start + 8);
  }
  get uniqueHigh(): number {
    return this.#word(this.#start + 12);
  }
  get nodeId(): number {
    return join(this.#word(this.#start + 20), this.#word(this.#start + 16));
  }
  get uid(): number {
    return this.#word(this.#start + 24);
  }
  get gid(): number {
    return this.#word(this.#start + 28);
  }
  get pid(): number {
    return this.#word(this.#start + 32);
  }

  // The body; offsets count from its first byte.

  /** Bytes after the header. */
  get bodyBytes(): number {
    return this.#end - this.#body;
  }

  /** The names and data begin after the fixed struct. */
  skip(bytes: number): void {
    this.#cursor = this.#body + bytes;
  }

  u32(at: number): number {
    return this.#word(this.#body + at);
  }

  /** Unsigned; above 2^53 the nearest double. */
  u64(at: number): number {
    return join(this.#word(this.#body + at + 4), this.#word(this.#body + at));
  }

  /** All 64 bits. */
  bits64(at: number): bigint {
    const low = BigInt(this.#word(this.#body + at));
    return (BigInt(this.#word(this.#body + at + 4)) << 32n) | low;
  }

  /** Signed, as times are. */
  i64(at: number): number {
    return join(this.#word(this.#body + at + 4) | 0, this.#word(this.#body + at));
  }

  /** The next NUL-terminated name. */
  name(): string {
    const from = this.#cursor;
    const nul = this.#buffer.bytes.indexOf(0, from);
    if (nul < 0 || nul >= this.#end) throw new FsError('EINVAL', 'request without end of name');
    this.#cursor = nul + 1;
    return decodeName(this.#buffer.bytes.subarray(from, nul));
  }

  /** The next `size` bytes, where they lie. */
  data(size: number): Buffer {
    const from = this.#cursor;
    if (from + size > this.#end) throw new FsError('EINVAL', 'request shorter than its data');
    this.#cursor = from + size;
    return this.#buffer.bytes.subarray(from, from + size);
  }

  #word(at: number): number {
    return this.#buffer.words[at >> 2]!;
  }
}
