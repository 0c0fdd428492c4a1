/**
 * DAV:contains: whether texts are in a file, without regard to case. What begins with the byte order mark of UTF-16 is read as that,
 * what has a NUL in its first bytes as bytes, everything else as UTF-8. Only the beginning of a large file is read: a text that isn't
 * found there is neither in the file nor not.
 */
import fs from 'node:fs';
import { truth, type Truth } from './evaluate.js';
import { fold } from './fold.js';

/** Ours. */
export const MAX_SEARCHED_BYTES = 64 * 1024 * 1024;
/** Looking through one piece takes well under a slice. */
const PIECE_BYTES = 64 * 1024;
/** Where a NUL tells that it is no text. */
const SNIFFED_BYTES = 8 * 1024;

export class Needles {
  readonly #texts: readonly string[];
  readonly #buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  /** Of each text. `breathe` is called between pieces; it may end it all by a throw. */
  async findIn(
    fd: number,
    size: number,
    breathe: () => Promise<void> | undefined,
  ): Promise<Truth[]> {
    let scan: Scan | undefined;
    for (let at = 0; at < Math.min(size, MAX_SEARCHED_BYTES);) {
      const count = await read(fd, this.#buffer, at);
      const piece = this.#buffer.subarray(0, count);
      at += count;
      const last = count === 0 || at >= size;
      scan ??= new Scan(this.#texts, encodingOf(piece));
      scan.look(piece, last);
      if (last || scan.complete) break;
      await breathe();
    }
    const elsewhere = size > MAX_SEARCHED_BYTES ? undefined : false;
    return this.#texts.map((_, index) => truth(scan?.found[index] === true || elsewhere));
  }
}

type Decode = (piece: Buffer, last: boolean) => string;

/** One pass over one file. */
class Scan {
  readonly found: boolean[];
  readonly #decode: Decode;
  readonly #needles: readonly string[];
  readonly #overlap: number;
  #tail = '';

  constructor(texts: readonly string[], { decode, encode }: Encoding) {
    this.#decode = decode;
    this.#needles = texts.map(encode);
    this.#overlap = Math.max(...this.#needles.map(({ length }) => length)) - 1;
    this.found = texts.map(() => false);
  }

  get complete(): boolean {
    return this.found.every(Boolean);
  }

  look(piece: Buffer, last: boolean): void {
    const text = this.#tail + this.#decode(piece, last);
    for (const [index, needle] of this.#needles.entries()) {
      this.found[index] ||= text.includes(needle);
    }
    this.#tail = this.#overlap === 0 ? '' : text.slice(-this.#overlap);
  }
}

/** How a file's content is read; what differs by case alone is the same in both results. */
interface Encoding {
  readonly decode: Decode;
  /** What a text of the query is in the decoded file. */
  readonly encode: (text: string) => string;
}

function encodingOf(first: Buffer): Encoding {
  const label = bomLabel(first);
  if (label === undefined && first.subarray(0, SNIFFED_BYTES).includes(0)) {
    return { decode: foldBytes, encode: (text) => foldBytes(Buffer.from(text)) };
  }
  const decoder = new TextDecoder(label ?? 'utf-8');
  return {
    decode: (piece, last) => fold(decoder.decode(piece, { stream: !last })),
    encode: fold,
  };
}

/** One character per byte; changes `bytes`. */
function foldBytes(bytes: Buffer): string {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x41 && byte <= 0x5a) bytes[at] = byte | 0x20;
  }
  return bytes.toString('latin1');
}

function bomLabel([first, second]: Buffer): string | undefined {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : undefined;
}

/** By the thread pool, also of small files: the disk may be slow, and they are many. */
function read(fd: number, buffer: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, 0, buffer.length, position, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });
}
