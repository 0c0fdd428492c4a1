/** PUT straight to the target: for servers that keep the old file whole until the new one is there, and honour preconditions. */
import { DavError, type Precondition, type Resource } from '../../webdav/types.js';
import type { UploadResult } from '../content.js';
import { FsError } from '../filesystem.js';
import { versionOf } from '../reader/versions.js';
import { awaitArrival, isOurs, noteUnanswered } from './attempts.js';
import {
  bodyOf,
  Conflict,
  explainRefusal,
  holdsContent,
  isExpected,
  isLost,
  preconditionOf,
  sizeError,
  statAfter,
  statOrAbsent,
  type UploadJob,
} from './job.js';
import { storePosix } from './posix.js';

const MAX_ATTEMPTS = 3;

/** The confirmed resource; throws `Conflict`. */
export async function uploadDirect(job: UploadJob): Promise<UploadResult> {
  const { path, expect } = job.target;
  let precondition = preconditionOf(job);
  // Our share looks at the precondition again when it puts the body in place.
  const looksAgain = job.profile.putReturnsResource;
  if (!looksAgain) await awaitArrival(job);
  if (expect !== 'any' && precondition === undefined) await check(job);
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await putOnce(job, precondition);
    if (!('failure' in outcome)) return outcome;
    const { failure } = outcome;
    const current = await statAfter(job, failure);
    if (!isRivals(job, failure, current) && (await holdsContent(job, path, current))) {
      return { resource: await storePosix(job, path, current!), durable: false };
    }
    if (expect === 'any' && current?.kind === 'collection') throw new FsError('EISDIR');
    if (!isExpected(job, current)) {
      if (current === undefined || !(await isOurs(job, current))) throw new Conflict(current);
      return uploadDirect({ ...job, target: { ...job.target, expect: versionOf(current) } });
    }
    if (attempt === MAX_ATTEMPTS) throw await explainRefusal(job, failure);
    // Refused although the version is there: If-Match compares strongly (RFC 9110 §13.1.1), and Apache's tag is weak for about a
    // second after a write. First its present form, then without: it was looked at just now.
    const refused = failure instanceof DavError && failure.status === 412;
    if (refused) precondition = nextPrecondition(precondition, current);
    if (!looksAgain) await awaitArrival(job);
  }
}

type Outcome = UploadResult | { readonly failure: unknown };

/** One PUT and its confirmation; `failure` where the target has to be looked at before anything else. */
async function putOnce(job: UploadJob, precondition: Precondition | undefined): Promise<Outcome> {
  const { client, content, signal, target, profile } = job;
  const { path } = target;
  try {
    const body = await bodyOf(content);
    const durable = profile.sync && target.durable === true;
    const along = profile.putReturnsResource && target.posix ? { posix: target.posix } : {};
    const put = await client.put(path, body, {
      signal,
      ...(precondition && { precondition }),
      ...along,
      durable,
    });
    if (profile.putReturnsResource && put.resource) {
      if (put.resource.size === content.size) return { resource: put.resource, durable };
      return { failure: sizeError(job, put.resource) };
    }
  } catch (error) {
    await noteUnanswered(job, error);
    signal.throwIfAborted();
    const refused = error instanceof DavError && error.status === 412;
    if (refused || (isLost(error) && !error.unsent)) return { failure: error };
    throw await explainRefusal(job, error);
  }
  const stored = await statOrAbsent(job, path);
  if (stored?.size !== content.size) return { failure: sizeError(job, stored) };
  return { resource: await storePosix(job, path, stored), durable: false };
}

/** The name that was to be made exclusively was taken before: that answer is not of a request whose first answer was lost. */
function isRivals(job: UploadJob, failure: unknown, current: Resource | undefined): boolean {
  const refused = failure instanceof DavError && failure.status === 412;
  return job.target.exclusive === true && refused && !isExpected(job, current);
}

async function check(job: UploadJob): Promise<void> {
  const current = await statOrAbsent(job, job.target.path);
  if (isExpected(job, current) || (await isOurs(job, current))) return;
  if (!(await holdsContent(job, job.target.path, current))) throw new Conflict(current);
}

function nextPrecondition(
  former: Precondition | undefined,
  current: Resource | undefined,
): Precondition | undefined {
  if (former?.etag === undefined || current?.etag === undefined) return former;
  return former.etag === current.etag ? undefined : { etag: current.etag };
}
