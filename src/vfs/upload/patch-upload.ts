/** The changed parts alone, by one request that our own share does as a whole or not at all. */
import { DavError, type Resource } from '../../webdav/types.js';
import type { UploadResult } from '../content.js';
import { digestsOf, holdsParts, isUnanswered } from './attempts.js';
import { bodyOfParts, type ChangedJob } from './changes.js';
import { Conflict, explainRefusal, isExpected, isLost, sizeError, statAfter } from './job.js';

const MAX_ATTEMPTS = 3;

/** The confirmed resource; throws `Conflict`. */
export async function uploadPatch(job: ChangedJob): Promise<UploadResult> {
  let { etag } = job.base;
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await patchOnce(job, etag);
    if (!('failure' in outcome)) return outcome;
    const { failure } = outcome;
    const current = await statAfter(job, failure);
    if (!isExpected(job, current) && current?.etag !== etag) {
      const ours = await find(job, current, isLost(failure));
      if (ours === 'all') return { resource: current!, durable: false };
      if (ours === 'nothing' || current?.etag === undefined) throw new Conflict(current);
      // More was written since that attempt.
      etag = current.etag;
    }
    if (attempt === MAX_ATTEMPTS) throw await explainRefusal(job, failure);
  }
}

type Outcome = UploadResult | { readonly failure: unknown };

/** `failure` where the target has to be looked at before anything else. */
async function patchOnce(job: ChangedJob, etag: string): Promise<Outcome> {
  const { client, content, changes, signal, target, profile } = job;
  const durable = profile.sync && target.durable === true;
  try {
    const body = await bodyOfParts(content, changes.extents);
    const { resource } = await client.patch(target.path, changes.extents, body, {
      signal,
      precondition: { etag },
      size: content.size,
      ...(target.posix && { posix: target.posix }),
      durable,
    });
    if (resource?.size === content.size) return { resource, durable };
    return { failure: sizeError(job, resource) };
  } catch (error) {
    if (isUnanswered(error)) target.attempts?.note(await digestsOf(content, changes.extents));
    signal.throwIfAborted();
    const elsewhere = error instanceof DavError && [404, 412].includes(error.status);
    if (elsewhere || (isLost(error) && !error.unsent)) return { failure: error };
    throw await explainRefusal(job, error);
  }
}

/** Is what the peer has there by our doing: by this attempt, or by an earlier one that got no answer? */
async function find(
  job: ChangedJob,
  current: Resource | undefined,
  lost: boolean,
): Promise<'all' | 'some' | 'nothing'> {
  const { target, content, changes } = job;
  const unanswered = target.attempts?.unanswered ?? [];
  if (!lost && unanswered.length === 0) return 'nothing';
  if (await holdsParts(job, current, await digestsOf(content, changes.extents))) return 'all';
  for (const sent of unanswered) if (await holdsParts(job, current, sent)) return 'some';
  return 'nothing';
}
