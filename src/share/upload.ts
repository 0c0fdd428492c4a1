import fs from 'node:fs';
import { promisify } from 'node:util';
import { ClientGoneError } from './errors.js';
import type { Exchange } from './exchange.js';
import { receiveVerified } from './repr-digest.js';
import type { TempFile } from './temp-file.js';

/** Body bytes gathered for one write: a thread's waking costs as much as writing some 100 KiB. */
const GATHER_BYTES = 512 * 1024;
/** The most while the write before is at work. */
const MAX_GATHERED_BYTES = 1024 * 1024;
/** A body of a length up to this is gathered in memory first: if it is cut short, nothing was ever made. */
export const SMALL_BODY_BYTES = 128 * 1024;

const writev = promisify(
  (fd: number, buffers: Buffer[], position: number, done: (e: Error | null, n?: number) => void) =>
    fs.writev(fd, buffers, position, (error, count) => done(error, count)),
);

/** The announced length; undefined for a chunked body. */
export function announcedLength(exchange: Exchange): number | undefined {
  if (exchange.header('transfer-encoding') !== undefined) return undefined;
  return Number(exchange.header('content-length') ?? 0);
}

/** `partial`: it is a part of a representation. */
export async function collectBody(
  exchange: Exchange,
  length: number,
  partial = false,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  await receiveVerified(exchange, partial, (chunk) => {
    parts.push(chunk);
    return undefined;
  });
  checkLength(exchange, length);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Writes the body to the file while it arrives. Gives its length. */
export async function storeBody(
  exchange: Exchange,
  file: TempFile,
  partial = false,
): Promise<number> {
  const writer = new GatheringWriter(file.fd);
  try {
    await receiveVerified(exchange, partial, (chunk) => writer.take(chunk));
    await writer.flush();
  } finally {
    // The descriptor must not be closed under a write.
    await writer.idle();
  }
  checkLength(exchange, announcedLength(exchange));
  return writer.size;
}

/** One write at work, the next one being gathered. */
class GatheringWriter {
  readonly #fd: number;
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #position = 0;
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Of all that was taken. */
  get size(): number {
    return this.#position + this.#gatheredBytes;
  }

  /** A promise: it wants no more until that settles. */
  take(chunk: Buffer): Promise<void> | undefined {
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes < GATHER_BYTES) return undefined;
    if (this.#writing === undefined) {
      this.#begin();
      return undefined;
    }
    return this.#gatheredBytes < MAX_GATHERED_BYTES ? undefined : this.#next();
  }

  async #next(): Promise<void> {
    await this.idle();
    this.#begin();
  }

  /** Throws what an earlier write failed with. */
  #begin(): void {
    if (this.#failure) throw this.#failure;
    const position = this.#position;
    this.#position += this.#gatheredBytes;
    this.#writing = this.#write(this.#gathered, position);
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }

  async #write(buffers: Buffer[], position: number): Promise<void> {
    try {
      await writeAll(this.#fd, buffers, position);
    } catch (error) {
      this.#failure = error as Error;
    }
    this.#writing = undefined;
  }

  /** Resolves when no write is at work, whether it failed or not. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  /** Resolves when all is written. */
  async flush(): Promise<void> {
    await this.idle();
    if (this.#gatheredBytes > 0) {
      this.#begin();
      await this.idle();
    }
    if (this.#failure) throw this.#failure;
  }
}

async function writeAll(fd: number, buffers: Buffer[], start: number): Promise<void> {
  let left = buffers;
  let at = start;
  while (left.length > 0) {
    let count = (await writev(fd, left, at)) ?? 0;
    at += count;
    let done = 0;
    while (done < left.length && count >= left[done]!.length) count -= left[done++]!.length;
    left = left.slice(done);
    if (count > 0) left[0] = left[0]!.subarray(count);
  }
}

function checkLength(exchange: Exchange, length: number | undefined): void {
  if (length !== undefined && exchange.bytesIn !== length) {
    throw new ClientGoneError('the body is not as long as announced');
  }
}
