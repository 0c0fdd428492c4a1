/**
 * A few small parts of a large file, written into it one after the other, each looked at afterwards: for servers that change a file while
 * the bytes arrive. What is cut short leaves the file half changed; so what was there is remembered first, and who comes back to it knows
 * its own work from a change by someone else.
 */
import { isWeak } from '../../webdav/etag.js';
import { DavError, type Resource } from '../../webdav/types.js';
import type { UploadResult } from '../content.js';
import type { ByteExtent } from '../extent-set.js';
import { sameTag } from '../reader/versions.js';
import { awaitArrival, isUnanswered, type InPlaceWrite } from './attempts.js';
import type { ChangedJob } from './changes.js';
import { findPart, isMixOf, readPart } from './in-place-parts.js';
import { Conflict, explainRefusal, isExpected, isLost, statOrAbsent } from './job.js';
import { storePosix } from './posix.js';
import { inPlaceParts } from './strategy.js';

const MAX_ATTEMPTS = 3;

/** Sends one part, on the condition that the file has this ETag. */
export type SendPart = (start: number, bytes: Buffer, etag: string) => Promise<void>;

/**
 * The ETag on which the change may begin: that of the version which was opened, or of what earlier attempts of ours have left of it.
 * Undefined: the server doesn't vouch for it, as Apache doesn't in the first second. Throws `Conflict`.
 */
export async function startingTag(job: ChangedJob): Promise<string | undefined> {
  const { base, target } = job;
  const begun = target.attempts?.begun ?? [];
  if (begun.length === 0 && !isWeak(base.etag)) return base.etag;
  const [latest] = begun;
  if (latest !== undefined) await awaitPart(job, latest);
  const current = await statOrAbsent(job, target.path);
  if (!isExpected(job, current) && !(await isLeftByUs(job, current, begun)))
    throw new Conflict(current);
  const etag = current?.etag;
  return etag === undefined || isWeak(etag) ? undefined : etag;
}

/** The confirmed resource; throws `Conflict`. `etag`: of `startingTag`. */
export async function uploadInPlace(
  job: ChangedJob,
  etag: string,
  send: SendPart,
): Promise<UploadResult> {
  const { target, content, changes } = job;
  // What goes beyond the end first: where the disk is full, nothing has been overwritten yet.
  const parts = [...inPlaceParts(content.size, changes)].reverse();
  const writes: InPlaceWrite[] = [];
  for (const part of parts) writes.push(await prepare(job, part, etag));
  let stored = writes.length > 0 ? undefined : await statOrAbsent(job, target.path);
  if (writes.length === 0 && !sameTag(stored?.etag, etag)) throw new Conflict(stored);
  for (const write of writes) {
    target.attempts?.begin(write);
    const tag = stored?.etag ?? etag;
    try {
      stored = await writePart(job, write, tag, send);
    } catch (error) {
      const earlier = writes.slice(0, writes.indexOf(write));
      if (error instanceof DavError) await takeBack(job, earlier, tag, send);
      throw error;
    }
  }
  if (stored?.size !== content.size) throw new Conflict(stored);
  return { resource: await storePosix(job, target.path, stored), durable: false };
}

async function prepare(job: ChangedJob, part: ByteExtent, etag: string): Promise<InPlaceWrite> {
  const { base, content, target } = job;
  const { start, end } = part;
  const begun = target.attempts?.begun ?? [];
  // After an earlier attempt the file may be longer than the version that was opened.
  const size = Math.max(base.size, ...begun.map((write) => write.start + write.after.length));
  const inside = { start, end: Math.min(end, size) };
  const found = begun.length > 0 ? await findPart(job, part) : undefined;
  const before = found?.bytes ?? (await readPart(job, inside, etag));
  if (before === undefined || (found !== undefined && !sameTag(found.etag, etag)))
    throw new Conflict(await statOrAbsent(job, target.path));
  return { start, before, after: Buffer.from(await content.read(start, end - start)) };
}

/** The file as it is then. */
async function writePart(
  job: ChangedJob,
  { start, before, after }: InPlaceWrite,
  etag: string,
  send: SendPart,
): Promise<Resource> {
  let tag = etag;
  let lost = false;
  for (let attempt = 1; ; attempt += 1) {
    const failure = await sendOnce(job, () => send(start, after, tag));
    lost ||= isLost(failure);
    await awaitPart(job, { start, after });
    const found = await findPart(job, { start, end: start + after.length });
    if (found?.bytes.equals(after) === true && (failure === undefined || lost))
      return found.resource;
    const untouched = found !== undefined && failure !== undefined && sameTag(found.etag, tag);
    // Another version, unless it is ours that was cut off in the middle.
    if (found === undefined || (!untouched && !(lost && isMixOf(found.bytes, before, after))))
      throw new Conflict(found?.resource);
    if (attempt === MAX_ATTEMPTS) throw await explainRefusal(job, failure);
    tag = found.etag;
  }
}

/** What it failed with, where the file has to be looked at before anything else. */
async function sendOnce(job: ChangedJob, send: () => Promise<void>): Promise<unknown> {
  try {
    await send();
    return undefined;
  } catch (error) {
    if (isUnanswered(error)) job.target.attempts?.mayArrive();
    job.signal.throwIfAborted();
    const changed = error instanceof DavError && [404, 412].includes(error.status);
    if (changed || (isLost(error) && !error.unsent)) return error;
    throw await explainRefusal(job, error);
  }
}

/** Of a part whose answer was lost: until it is there, or can't come any more. It would come over what is sent later. */
function awaitPart(
  job: ChangedJob,
  { start, after }: Pick<InPlaceWrite, 'start' | 'after'>,
): Promise<void> {
  return awaitArrival(job, async () => {
    const found = await findPart(job, { start, end: start + after.length });
    const isThere = found?.bytes.equals(after) === true;
    if (isThere) job.target.attempts?.arrived();
    return found === undefined || isThere;
  });
}

/** A part was refused: those that were written before it are overwritten by what was there, as far as that can be done. */
async function takeBack(
  job: ChangedJob,
  writes: readonly InPlaceWrite[],
  etag: string,
  send: SendPart,
): Promise<void> {
  const { path } = job.target;
  let tag = etag;
  try {
    for (const { start, before } of writes) {
      if (before.length === 0) continue;
      await send(start, before, tag);
      tag = (await statOrAbsent(job, path))?.etag ?? tag;
    }
  } catch (error) {
    job.log.warn('a part of a change that was refused is left', { path, reason: String(error) });
  }
}

async function isLeftByUs(
  job: ChangedJob,
  current: Resource | undefined,
  begun: readonly InPlaceWrite[],
): Promise<boolean> {
  if (current?.kind !== 'file' || begun.length === 0) return false;
  const most = Math.max(job.base.size, ...begun.map(({ start, after }) => start + after.length));
  if (current.size < job.base.size || current.size > most) return false;
  for (const { start, before, after } of begun) {
    const found = await findPart(job, { start, end: start + after.length });
    if (found === undefined || !isMixOf(found.bytes, before, after)) return false;
  }
  return true;
}
