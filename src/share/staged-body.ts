/** A request's body, here as a whole before anything is changed: a short one in memory, a longer one in a file of its own. */
import fs from 'node:fs';
import { promisify } from 'node:util';
import type { Exchange } from './exchange.js';
import { readPieces } from './file-pieces.js';
import type { Extent } from './in-place.js';
import type { Place } from './place.js';
import type { ByteRange } from './range.js';
import { TempFile } from './temp-file.js';
import { announcedLength, collectBody, SMALL_BODY_BYTES, storeBody } from './upload.js';

const write = promisify(fs.write);

export class StagedBody {
  readonly length: number;
  /** Its bytes, or the open file that has them. */
  readonly #source: Buffer | number;
  readonly #discard: () => void;

  private constructor(
    length: number,
    source: Buffer | number,
    discard: () => void = () => undefined,
  ) {
    this.length = length;
    this.#source = source;
    this.#discard = discard;
  }

  /** All that is in the open file, which stays the caller's. */
  static ofFile(fd: number): StagedBody {
    return new StagedBody(fs.fstatSync(fd).size, fd);
  }

  /** `place`: next to which the file is made, so that the disk which is full is the one that matters. */
  static async receive(exchange: Exchange, place: Place, partial: boolean): Promise<StagedBody> {
    const announced = announcedLength(exchange);
    if (announced !== undefined && announced <= SMALL_BODY_BYTES) {
      const bytes = await collectBody(exchange, announced, partial);
      return new StagedBody(bytes.length, bytes);
    }
    const file = new TempFile(exchange.context, place);
    try {
      const length = await storeBody(exchange, file, partial);
      return new StagedBody(length, file.fd, () => file.discard());
    } catch (error) {
      file.discard();
      throw error;
    }
  }

  /** A range of the body. */
  async read({ start, end }: ByteRange): Promise<Buffer> {
    const source = this.#source;
    if (typeof source !== 'number') return source.subarray(start, end);
    const pieces: Buffer[] = [];
    await readPieces(source, { start, end }, (piece) => void pieces.push(piece));
    const bytes = Buffer.concat(pieces);
    if (bytes.length !== end - start) throw new Error('what was staged became shorter');
    return bytes;
  }

  /** All of it, to one place in a file. */
  whole(at: number): readonly Extent[] {
    return this.length === 0 ? [] : [{ range: { start: 0, end: this.length }, at }];
  }

  /** Writes a range of the body. What is in memory is written in this turn of the loop. */
  async copyTo(fd: number, { start, end }: ByteRange, position: number): Promise<void> {
    if (start >= end) return;
    const source = this.#source;
    if (typeof source !== 'number') {
      writeNow(fd, source.subarray(start, end), position);
      return;
    }
    let at = position;
    const take = async (piece: Buffer): Promise<void> => {
      if (piece.length === 0) throw new Error('what was staged became shorter');
      await writeAll(fd, piece, at);
      at += piece.length;
    };
    await readPieces(source, { start, end }, take, { reuse: true });
  }

  /** Idempotent. */
  discard(): void {
    this.#discard();
  }
}

function writeNow(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

async function writeAll(fd: number, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await write(fd, bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}
