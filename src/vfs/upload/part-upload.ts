/**
 * PUT to a hidden name beside the target, then MOVE: for servers that commit a PUT that was cut short (phodav does) or about which
 * nothing is known. The target is old or new at every moment.
 */
import { randomBytes } from 'node:crypto';
import { HttpError } from '../../http/types.js';
import { uploadName } from '../../webdav/hidden-names.js';
import { DavError, type Resource } from '../../webdav/types.js';
import { FsError } from '../filesystem.js';
import { sameVersion } from '../reader/versions.js';
import {
  bodyOf,
  Conflict,
  explainRefusal,
  holdsContent,
  isExpected,
  parentOf,
  statOrAbsent,
  type UploadJob,
} from './job.js';
import { storePosix } from './posix.js';

const MAX_ATTEMPTS = 3;
/** For removing what is left of a failed upload, when the caller waits no more. */
const CLEANUP_MS = 10_000;
/** phodav commits what it has of a PUT that is given up, maybe after the DELETE. */
const CLEANUP_AGAIN_MS = 1000;

/** A complete upload under its hidden name. */
export interface Part {
  readonly path: string;
  readonly resource: Resource;
}

/** The confirmed resource. `onConflict` finds the complete content under the part's name and may move it away. */
export async function uploadByPart(
  job: UploadJob,
  onConflict: (part: Part, conflict: Conflict) => Promise<never>,
): Promise<Resource> {
  const part = await sendPart(job);
  try {
    const { resource, moved } = await replaceTarget(job, part);
    if (!moved) await removePart(job, part.path);
    return resource;
  } catch (error) {
    try {
      if (error instanceof Conflict) return await onConflict(part, error);
      throw error;
    } finally {
      await removePart(job, part.path);
    }
  }
}

/** Sends the content and sees to it that all of it arrived. */
export async function sendPart(job: UploadJob): Promise<Part> {
  const { client, content, signal } = job;
  for (let attempt = 1; ; attempt += 1) {
    // A fresh name each time: an attempt whose answer was lost may still be on its way.
    const path = `${parentOf(job.target.path)}/${uploadName(randomBytes(8))}`;
    let failure: unknown;
    try {
      await client.put(path, await bodyOf(content), { signal });
      const resource = await client.stat(path, { signal });
      if (resource.size === content.size) return { path, resource };
      failure = new FsError(
        'EIO',
        `${job.target.path}: ${content.size} bytes were sent, the peer has ${resource.size}`,
      );
    } catch (error) {
      failure = error;
    }
    const accepted = await lostButStored(job, path, failure);
    if (accepted) return accepted;
    await removePart(job, path);
    signal.throwIfAborted();
    const again = failure instanceof FsError || (failure instanceof HttpError && isLost(failure));
    if (!again || attempt === MAX_ATTEMPTS) throw await explainRefusal(job, failure);
  }
}

async function lostButStored(
  job: UploadJob,
  path: string,
  failure: unknown,
): Promise<Part | undefined> {
  if (!(failure instanceof HttpError) || !isLost(failure) || job.signal.aborted) return undefined;
  const resource = await statOrAbsent(job, path).catch(() => undefined);
  return resource?.size === job.content.size ? { path, resource } : undefined;
}

interface Replaced {
  readonly resource: Resource;
  /** The part is gone: it is the target now. */
  readonly moved: boolean;
}

async function replaceTarget(job: UploadJob, part: Part): Promise<Replaced> {
  const { expect, path } = job.target;
  let stored: Resource | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const current = await checkTarget(job, attempt);
    // The MOVE whose answer was lost has happened.
    if (stored && current && sameVersion(current, part.resource))
      return { resource: stored, moved: true };
    if (!isExpected(job, current)) {
      if (await holdsContent(job, path, current)) return { resource: current!, moved: false };
      throw new Conflict(current);
    }
    stored ??= await storePosix(withMode(job, current), part.path, part.resource);
    try {
      await job.client.move(part.path, path, {
        signal: job.signal,
        overwrite: expect !== 'absent',
      });
      // phodav makes its tag of the time of change, which a rename leaves as it is; elsewhere the tag may be another one now.
      const resource = job.profile.name === 'phodav' ? stored : await confirm(job, stored);
      return { resource, moved: true };
    } catch (error) {
      job.signal.throwIfAborted();
      if (!mayRepeat(error) || attempt === MAX_ATTEMPTS) throw await explainRefusal(job, error);
    }
  }
}

/** Lost, or refused because of the target; which of both, the next look at the target tells. */
function mayRepeat(error: unknown): boolean {
  if (error instanceof HttpError) return isLost(error);
  return error instanceof DavError && error.status === 412;
}

/** The target right before the MOVE; not asked for where MOVE itself refuses to replace. */
async function checkTarget(job: UploadJob, attempt: number): Promise<Resource | undefined> {
  const { path, expect } = job.target;
  if (expect === 'absent' && job.profile.moveNoReplace && attempt === 1) return undefined;
  const current = await statOrAbsent(job, path);
  // MOVE onto a collection destroys it (phodav).
  if (expect === 'any' && current?.kind === 'collection')
    throw new FsError('EISDIR', `${path} is a folder`);
  return current;
}

async function confirm(job: UploadJob, part: Resource): Promise<Resource> {
  const stored = await job.client.stat(job.target.path, { signal: job.signal });
  if (stored.size !== job.content.size) {
    throw new FsError('EIO', `${job.target.path}: the peer has ${stored.size} bytes`);
  }
  return { ...stored, posix: stored.posix ?? part.posix };
}

/** The part takes the place of the target with all its properties: the mode that was stored for the old version goes along. */
function withMode(job: UploadJob, current: Resource | undefined): UploadJob {
  const mode = job.target.posix?.mode ?? current?.posix?.mode;
  if (mode === undefined || job.target.posix?.mode !== undefined) return job;
  return { ...job, target: { ...job.target, posix: { ...job.target.posix, mode } } };
}

/** Best effort: hidden names show in no listing, and the error at hand matters more. */
async function removePart(job: UploadJob, path: string): Promise<void> {
  const remove = (): Promise<void> =>
    job.client.remove(path, { signal: AbortSignal.timeout(CLEANUP_MS) }).catch((error: unknown) => {
      if (error instanceof DavError && error.status === 404) return;
      job.log.debug('upload leftover not removed', { path, reason: (error as Error).message });
    });
  if (!job.signal.aborted) return remove();
  // The caller was interrupted and is not kept waiting.
  void remove();
  setTimeout(() => void remove(), CLEANUP_AGAIN_MS).unref();
}

function isLost(error: HttpError): boolean {
  return error.code !== 'HTTP_CLOSED' && error.code !== 'HTTP_UNREACHABLE';
}
