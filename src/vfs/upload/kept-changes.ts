/**
 * The conflict copy of a file of which only the changed parts are here. The version that they belong to isn't at the peer any more: what is
 * still held of it completes them, else they are put into what the peer has now.
 */
import { DavError, type Resource } from '../../webdav/types.js';
import type { ContentChanges, StagingFile, StagingSnapshot } from '../content.js';
import { FsError } from '../filesystem.js';
import { createContentReader, versionOf } from '../reader/index.js';
import { createStaging } from '../staging.js';
import { bytesOf } from './attempts.js';
import { bodyOfParts } from './changes.js';
import { keepContent, keepCopy } from './conflict-copy.js';
import { statOrAbsent, type Conflict, type UploadJob } from './job.js';
import { partsWay } from './strategy.js';

export async function keepChanges(
  job: UploadJob,
  changes: ContentChanges,
  conflict: Conflict,
): Promise<never> {
  if (changes.isWhole) return keepContent(job, conflict);
  const content = await completed(changes, job.signal);
  if (content === undefined) return keepMerged(job, changes, conflict);
  try {
    return await keepContent({ ...job, content }, conflict);
  } finally {
    content.release();
  }
}

async function completed(
  changes: ContentChanges,
  signal: AbortSignal,
): Promise<StagingSnapshot | undefined> {
  try {
    return await changes.complete(signal);
  } catch (error) {
    if (error instanceof FsError && error.errno === 'ESTALE') return undefined;
    throw error;
  }
}

function keepMerged(job: UploadJob, changes: ContentChanges, conflict: Conflict): Promise<never> {
  const there = conflict.current?.kind === 'file';
  const about = there
    ? 'of which only that was here: put into what the peer has now'
    : 'of which only that was here: the rest of it is zeros';
  if (partsWay(job.profile) !== 'extents') return keepMergedHere(job, changes, conflict, about);
  const store = async (path: string): Promise<boolean> => {
    if (!(await begin(job, there, path))) return false;
    try {
      await putParts(job, changes, path);
    } catch (error) {
      await job.leftovers.remove(path);
      throw error;
    }
    return true;
  };
  return keepCopy(job, conflict, store, about);
}

/** What the peer has is fetched. */
async function keepMergedHere(
  job: UploadJob,
  changes: ContentChanges,
  conflict: Conflict,
  about: string,
): Promise<never> {
  const { content, signal } = job;
  const merged = createStaging(job);
  try {
    await fetchPresent(job, conflict.current, merged);
    for (const part of changes.extents) {
      let at = part.start;
      for await (const piece of bytesOf(content, [part])) {
        await merged.write(at, piece);
        at += piece.length;
      }
    }
    await merged.truncate(content.size);
    signal.throwIfAborted();
    const snapshot = merged.snapshot();
    try {
      return await keepContent({ ...job, content: snapshot }, conflict, about);
    } finally {
      snapshot.release();
    }
  } finally {
    await merged.close();
  }
}

async function fetchPresent(
  job: UploadJob,
  current: Resource | undefined,
  merged: StagingFile,
): Promise<void> {
  if (current?.kind !== 'file') return;
  const { path } = job.target;
  const version = versionOf(current);
  const reader = createContentReader(() => path, version, job.profile, job);
  try {
    await reader.copyTo(merged, version.size, job.signal);
  } catch (error) {
    // ESTALE would say that what was written is kept already.
    if (!(error instanceof FsError) || error.errno !== 'ESTALE') throw error;
    throw new FsError('EIO', `${path} changes all the time`, { cause: error });
  } finally {
    reader.close();
  }
}

/** A copy of what is there, or an empty file; false: the name is taken. */
async function begin(job: UploadJob, there: boolean, path: string): Promise<boolean> {
  const { client, signal, target } = job;
  try {
    if (there) await client.copy(target.path, path, { signal, overwrite: false });
    else await client.put(path, Buffer.alloc(0), { signal, precondition: { absent: true } });
    return true;
  } catch (error) {
    if (error instanceof DavError && error.status === 412) return false;
    throw error;
  }
}

async function putParts(job: UploadJob, changes: ContentChanges, path: string): Promise<void> {
  const { client, content, signal } = job;
  const { extents } = changes;
  await client.patch(path, extents, await bodyOfParts(content, extents), {
    signal,
    size: content.size,
  });
  const stored = await statOrAbsent(job, path);
  if (stored?.size === content.size) return;
  throw new FsError('EIO', `${path}: the peer has ${stored?.size ?? 0} bytes of ${content.size}`);
}
