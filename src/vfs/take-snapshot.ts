import type { StagedFile, StagingSnapshot, Uploader, UploadTarget } from './content.js';
import { FsError } from './filesystem.js';

/** What an upload can send: the changes where these are enough, else all, of which the rest is fetched now. */
export async function takeSnapshot(
  staging: StagedFile,
  uploader: Uploader,
  target: Pick<UploadTarget, 'path' | 'attempts'>,
  signal: AbortSignal,
): Promise<StagingSnapshot> {
  for (;;) {
    const snapshot = staging.snapshot();
    let usable = false;
    try {
      const isWhole = snapshot.changes?.isWhole ?? true;
      usable = isWhole || (await uploader.takesChanges(target, snapshot, signal));
    } finally {
      if (!usable) snapshot.release();
    }
    if (usable) return snapshot;
    try {
      await staging.complete({ signal, forUpload: true });
    } catch (error) {
      // The version that it belongs to is gone: the uploader keeps what there is, and says so.
      if (error instanceof FsError && error.errno === 'ESTALE') return staging.snapshot();
      throw error;
    }
  }
}
