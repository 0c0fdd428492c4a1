/**
 * PUT to a hidden name beside the target, then MOVE: for servers that commit a PUT that was cut short (phodav does) or about which
 * nothing is known. The target is old or new at every moment.
 */
import { isOurs, noteUnanswered } from './attempts.js';
import { newPartName } from './part-name.js';
import { DavError, type Resource } from '../../webdav/types.js';
import { FsError } from '../filesystem.js';
import { sameVersion } from '../reader/versions.js';
import {
  bodyOf,
  Conflict,
  explainRefusal,
  holdsContent,
  isExpected,
  isLost,
  parentOf,
  statOrAbsent,
  type UploadJob,
} from './job.js';
import { storePosix } from './posix.js';

const MAX_ATTEMPTS = 3;
/** phodav copies on the thread that also draws the window of the virtual machine (200 MB: half a second). */
const MAX_MODE_COPY_BYTES = 16 * 1024 * 1024;

/** A complete upload under its hidden name. */
export interface Part {
  readonly path: string;
  readonly resource: Resource;
}

/** The confirmed resource. `onConflict` finds the complete content under the part's name and may move it away. */
export async function uploadByPart(
  job: UploadJob,
  onConflict: (part: Part, conflict: Conflict) => Promise<never>,
  send: (job: UploadJob) => Promise<Part> = sendPart,
): Promise<Resource> {
  const part = await send(job);
  try {
    const { resource, moved } = await replaceTarget(job, part);
    if (!moved) await job.leftovers.remove(part.path);
    return resource;
  } catch (error) {
    const failure = error instanceof Conflict ? await onConflict(part, error).catch(same) : error;
    await cleanUp(job, part.path, failure);
    throw failure;
  }
}

const same = (error: unknown): unknown => error;

/** A caller whose peer doesn't answer, or who was interrupted, is not kept waiting. */
async function cleanUp(job: UploadJob, path: string, failure: unknown): Promise<void> {
  const answered = failure instanceof DavError || failure instanceof FsError;
  if (answered && !job.signal.aborted) await job.leftovers.remove(path);
  else job.leftovers.removeSoon(path);
}

/** Sends the content and sees to it that all of it arrived. */
export async function sendPart(job: UploadJob): Promise<Part> {
  const { client, content, signal } = job;
  for (let attempt = 1; ; attempt += 1) {
    // A fresh name each time: an attempt whose answer was lost may still be on its way.
    const path = `${parentOf(job.target.path)}/${newPartName()}`;
    let failure: unknown;
    try {
      await takeMode(job, path);
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
    const stored = await storedAfterAll(job, path, failure);
    if (stored) return stored;
    await cleanUp(job, path, failure);
    signal.throwIfAborted();
    const again = failure instanceof FsError || isLost(failure);
    if (!again || attempt === MAX_ATTEMPTS) throw await explainRefusal(job, failure);
  }
}

/** The PUT whose answer was lost, if it was stored whole. Fails as the PUT did when the peer can't be asked. */
async function storedAfterAll(
  job: UploadJob,
  path: string,
  failure: unknown,
): Promise<Part | undefined> {
  if (!isLost(failure) || job.signal.aborted) return undefined;
  let resource: Resource | undefined;
  try {
    resource = await statOrAbsent(job, path);
  } catch {
    job.leftovers.removeSoon(path);
    throw failure;
  }
  return resource && (await holdsContent(job, path, resource)) ? { path, resource } : undefined;
}

/**
 * phodav makes new files readable by nobody else and not executable (mode 0600), and leaves the mode of those that exist: so the part
 * begins as a copy of the file that it is to replace.
 */
async function takeMode(job: UploadJob, path: string): Promise<void> {
  const { profile, target, client, signal } = job;
  if (profile.name !== 'phodav' || typeof target.expect === 'string') return;
  if (target.expect.size > MAX_MODE_COPY_BYTES) return;
  try {
    await client.copy(target.path, path, { signal, overwrite: false });
  } catch (error) {
    // That the file is gone is found out, and told, when it is about to be replaced.
    if (!(error instanceof DavError)) throw error;
  }
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
    if (!isExpected(job, current) && !(await isOurs(job, current))) {
      const same = job.target.exclusive !== true && (await holdsContent(job, path, current));
      if (same) return { resource: current!, moved: false };
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
      await noteUnanswered(job, error);
      job.signal.throwIfAborted();
      if (!mayRepeat(error) || attempt === MAX_ATTEMPTS) throw await explainRefusal(job, error);
    }
  }
}

/** Lost, or refused because of the target; which of both, the next look at the target tells. */
function mayRepeat(error: unknown): boolean {
  return isLost(error) || (error instanceof DavError && error.status === 412);
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
