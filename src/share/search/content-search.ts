/**
 * DAV:contains: whether texts are in a file, without regard to case. What begins with the byte order mark of UTF-16 is read as that,
 * what has a NUL in its first bytes as bytes, everything else as UTF-8. Only the beginning of a large file is read: a text that isn't
 * found there is neither in the file nor not.
 */
import { isAscii } from 'node:buffer';
import fs from 'node:fs';
import { truth, type Truth } from './evaluate.js';
import { fold } from './fold.js';

/** Ours. */
export const MAX_SEARCHED_BYTES = 64 * 1024 * 1024;
/** Looking through one piece takes well under a slice. */
const PIECE_BYTES = 64 * 1024;
/** Where a NUL tells that it is no text. */
const SNIFFED_BYTES = 8 * 1024;

/** Texts to look for: of one search, which looks into one file at a time. */
export class Needles {
  readonly #inText: readonly string[];
  readonly #inBytes: readonly string[];
  /** No content has fewer bytes than folded characters. */
  readonly #leastBytes: number;
  #buffer: Buffer | undefined;

  constructor(texts: readonly string[]) {
    this.#inText = texts.map(fold);
    this.#inBytes = texts.map((text) => foldBytes(Buffer.from(text)));
    this.#leastBytes = Math.min(...this.#inText.map(({ length }) => length));
  }

  /** What can be said of each without a look into the file. */
  findBySize(size: number): Truth[] | undefined {
    return size < this.#leastBytes ? this.#inText.map(() => 'false') : undefined;
  }

  /** May change `content`. */
  findInWhole(content: Buffer): Truth[] {
    const scan = this.#scan(content);
    scan.look(content, true);
    return scan.found.map((found) => truth(found));
  }

  /** Of a file that is read in pieces. `breathe` is called between them; it may end it all by a throw. */
  async findIn(
    fd: number,
    size: number,
    breathe: () => Promise<void> | undefined,
  ): Promise<Truth[]> {
    this.#buffer ??= Buffer.allocUnsafeSlow(PIECE_BYTES);
    let scan: Scan | undefined;
    for (let at = 0; at < Math.min(size, MAX_SEARCHED_BYTES);) {
      const count = await read(fd, this.#buffer, at);
      const piece = this.#buffer.subarray(0, count);
      at += count;
      const last = count === 0 || at >= size;
      scan ??= this.#scan(piece);
      scan.look(piece, last);
      if (last || scan.complete) break;
      await breathe();
    }
    const elsewhere = size > MAX_SEARCHED_BYTES ? undefined : false;
    return this.#inText.map((_, index) => truth(scan?.found[index] === true || elsewhere));
  }

  #scan(first: Buffer): Scan {
    const label = bomLabel(first);
    if (label === undefined && first.subarray(0, SNIFFED_BYTES).includes(0)) {
      return new Scan(this.#inBytes, foldBytes);
    }
    return new Scan(this.#inText, foldText(label ?? 'utf-8'));
  }
}

/** What differs by case alone is the same in both results. */
type Decode = (piece: Buffer, last: boolean) => string;

/** One pass over one file. */
class Scan {
  readonly found: boolean[];
  readonly #decode: Decode;
  readonly #needles: readonly string[];
  readonly #overlap: number;
  #tail = '';

  constructor(needles: readonly string[], decode: Decode) {
    this.#decode = decode;
    this.#needles = needles;
    this.#overlap = Math.max(...needles.map(({ length }) => length)) - 1;
    this.found = needles.map(() => false);
  }

  get complete(): boolean {
    return this.found.every(Boolean);
  }

  look(piece: Buffer, last: boolean): void {
    const text = this.#tail + this.#decode(piece, last);
    for (const [index, needle] of this.#needles.entries()) {
      this.found[index] ||= text.includes(needle);
    }
    this.#tail = this.#overlap === 0 || last ? '' : text.slice(-this.#overlap);
  }
}

function foldText(label: string): Decode {
  // Made for what needs it: most of what is looked through is ASCII, which is the same text at a fraction of the time.
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  return (piece, last) => {
    if (!decoder && label === 'utf-8' && isAscii(piece))
      return piece.toString('latin1').toLowerCase();
    decoder ??= new TextDecoder(label);
    return fold(decoder.decode(piece, { stream: !last }));
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

function bomLabel(piece: Buffer): string | undefined {
  const [first, second] = [piece[0], piece[1]];
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : undefined;
}

/** By the thread pool: the disk may be slow. */
function read(fd: number, buffer: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, 0, buffer.length, position, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });
}
