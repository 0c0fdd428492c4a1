/** Content that the peer can't be given before the process ends, written to local files where its writer can find it. */
import { mkdir, open, unlink } from 'node:fs/promises';
import path from 'node:path';
import { encodeName } from '../names.js';
import type { StagingFile } from './content.js';

export interface KeptFile {
  /** At the peer. */
  readonly path: string;
  /** Local file; undefined when it could not be written, with the reason in `error`. */
  readonly keptIn: string | undefined;
  readonly error?: string;
}

export interface UnsentContent {
  readonly path: string;
  readonly staging: StagingFile | undefined;
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
    const keptIn = path.join(folder, content.path);
    try {
      await keepOne(content, keptIn);
      kept.push({ path: content.path, keptIn });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      kept.push({ path: content.path, keptIn: undefined, error: reason });
    }
  }
  return kept;
}

async function keepOne({ staging }: UnsentContent, keptIn: string): Promise<void> {
  if (staging === undefined) throw new Error('its content is not there');
  const snapshot = staging.snapshot();
  try {
    await mkdir(encodeName(path.dirname(keptIn)), { recursive: true, mode: 0o700 });
    // 'wx': nothing that was kept before is overwritten.
    const file = await open(encodeName(keptIn), 'wx', 0o600);
    try {
      for await (const piece of snapshot.open()) await writeWhole(file, piece);
      await file.sync();
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

async function writeWhole(
  file: Awaited<ReturnType<typeof open>>,
  piece: Uint8Array,
): Promise<void> {
  for (let done = 0; done < piece.length;) {
    done += (await file.write(piece, done, piece.length - done)).bytesWritten;
  }
}
