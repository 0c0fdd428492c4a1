import fs from 'node:fs';
import { promisify } from 'node:util';
import { ClientGoneError } from './errors.js';
import type { Exchange } from './exchange.js';
import { verifiedBody } from './repr-digest.js';
import type { TempFile } from './temp-file.js';

/** Body bytes gathered for one write. */
const GATHER_BYTES = 512 * 1024;
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
): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  const body = verifiedBody(exchange, partial);
  for await (const chunk of body) parts.push(chunk);
  checkLength(exchange, length);
  return parts;
}

/** Writes the body to the file while it arrives: one write at work, the next one being gathered. Gives its length. */
export async function storeBody(
  exchange: Exchange,
  file: TempFile,
  partial = false,
): Promise<number> {
  let writing: Promise<void> = Promise.resolve();
  let gathered: Buffer[] = [];
  let size = 0;
  let position = 0;
  try {
    for await (const chunk of verifiedBody(exchange, partial)) {
      gathered.push(chunk);
      size += chunk.length;
      if (size < GATHER_BYTES) continue;
      await writing;
      writing = writeAll(file.fd, gathered, position);
      // It is awaited in any case; until then its failure is not an unhandled one.
      writing.catch(() => undefined);
      position += size;
      gathered = [];
      size = 0;
    }
    await writing;
    if (size > 0) await writeAll(file.fd, gathered, position);
  } finally {
    // The descriptor must not be closed under a write.
    await writing.catch(() => undefined);
  }
  checkLength(exchange, announcedLength(exchange));
  return position + size;
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
