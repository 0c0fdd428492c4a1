import type { ContentReader, StagingFile } from '../content.js';

const PIECE_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(64 * 1024);

/** Copies [0, length) of what `reader` reads; zeros beyond the staging file's end become holes. */
export async function copyContent(
  reader: Pick<ContentReader, 'read' | 'version'>,
  staging: StagingFile,
  length: number,
  signal: AbortSignal,
): Promise<void> {
  const end = Math.min(length, reader.version.size);
  for (let offset = 0; offset < end;) {
    signal.throwIfAborted();
    const pieces = await reader.read(offset, Math.min(PIECE_BYTES, end - offset), { signal });
    for (const piece of pieces) {
      if (offset < staging.size || !isZero(piece)) await staging.write(offset, piece);
      offset += piece.length;
    }
  }
  if (staging.size < end) await staging.truncate(end);
}

/** Stops at the first byte that isn't zero. */
export function isZero(piece: Uint8Array): boolean {
  for (let at = 0; at < piece.length; at += ZEROS.length) {
    const part = piece.subarray(at, at + ZEROS.length);
    if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}
