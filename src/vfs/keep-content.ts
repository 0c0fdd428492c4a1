/** Content that the peer can't be given before the process ends, written to local files where its writer can find it. */
import { mkdir, open, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeName } from '../names.js';
import type { StagingFile, StagingSnapshot } from './content.js';
import type { ByteExtent } from './extent-set.js';

const PIECE_BYTES = 256 * 1024;

export interface KeptFile {
  /** At the peer. */
  readonly path: string;
  /** Local file; undefined when it could not be written, with the reason in `error`. */
  readonly keptIn: string | undefined;
  /**
   * The rest of it is at the peer only, and zero in the local file: this one beside it tells what was written, by the offsets of the first
   * byte and of the one after the last, a line for each part.
   */
  readonly partsIn?: string;
  readonly error?: string;
  /** The journal has it: it is uploaded by the next mount. */
  readonly journaled?: boolean;
}

export interface UnsentContent {
  readonly path: string;
  readonly staging: StagingFile | undefined;
  /** Of the content that is kept already. */
  readonly journal?: string | undefined;
}

let folders = 0;

/** A new one each time. */
export function keptFolder(keepDir: string): string {
  folders += 1;
  const time = new Date().toISOString().replace(/[:.]/g, '-');
  return path.join(keepDir, `kept-${time}-${process.pid}-${folders}`);
}

/** Writes each to `folder`/path. One that fails does not keep the others from being written. Never rejects. */
export async function keepContent(
  contents: readonly UnsentContent[],
  folder: string,
): Promise<KeptFile[]> {
  const kept: KeptFile[] = [];
  for (const content of contents) {
    if (content.journal !== undefined) {
      kept.push({ path: content.path, keptIn: content.journal, journaled: true });
      continue;
    }
    const keptIn = path.join(folder, content.path);
    try {
      const partsIn = await keepOne(content, keptIn);
      kept.push({ path: content.path, keptIn, ...(partsIn !== undefined && { partsIn }) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      kept.push({ path: content.path, keptIn: undefined, error: reason });
    }
  }
  return kept;
}

/** `KeptFile.partsIn` */
async function keepOne({ staging }: UnsentContent, keptIn: string): Promise<string | undefined> {
  if (staging === undefined) throw new Error('its content is not there');
  const snapshot = staging.snapshot();
  try {
    await mkdir(encodeName(path.dirname(keptIn)), { recursive: true, mode: 0o700 });
    // 'wx': nothing that was kept before is overwritten.
    const file = await open(encodeName(keptIn), 'wx', 0o600);
    try {
      const { changes } = snapshot;
      const parts = changes === undefined || changes.isWhole ? undefined : changes.extents;
      if (parts === undefined) await writeAll(file, snapshot);
      else await writeParts(file, snapshot, parts);
      await file.sync();
      return parts && (await listParts(parts, `${keptIn}.parts`));
    } catch (error) {
      // A part must not look like the whole.
      await unlink(encodeName(keptIn));
      throw error;
    } finally {
      await file.close();
    }
  } finally {
    snapshot.release();
  }
}

type LocalFile = Awaited<ReturnType<typeof open>>;

async function writeAll(file: LocalFile, snapshot: StagingSnapshot): Promise<void> {
  let at = 0;
  for await (const piece of snapshot.open()) {
    await writeAt(file, piece, at);
    at += piece.length;
  }
}

/** The peer is not there to be asked for the rest. */
async function writeParts(
  file: LocalFile,
  snapshot: StagingSnapshot,
  parts: readonly ByteExtent[],
): Promise<void> {
  await file.truncate(snapshot.size);
  for (const { start, end } of parts) {
    for (let at = start; at < end; at += PIECE_BYTES) {
      await writeAt(file, await snapshot.read(at, Math.min(PIECE_BYTES, end - at)), at);
    }
  }
}

async function listParts(parts: readonly ByteExtent[], path: string): Promise<string> {
  const lines = parts.map(({ start, end }) => `${start} ${end}\n`);
  await writeFile(encodeName(path), lines.join(''), { flag: 'wx', mode: 0o600 });
  return path;
}

async function writeAt(file: LocalFile, piece: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < piece.length;) {
    const { bytesWritten } = await file.write(piece, done, piece.length - done, position + done);
    done += bytesWritten;
  }
}
