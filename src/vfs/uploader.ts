/** How content gets to the peer; which way, is a matter of what was changed and what the server promises. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DavError, type ServerProfile } from '../webdav/types.js';
import { NEVER } from './awaitable.js';
import type {
  ContentAtPeer,
  ContentChanges,
  DataOptions,
  StagingSnapshot,
  Uploader,
  UploadResult,
  UploadTarget,
} from './content.js';
import { FsError, type Awaitable } from './filesystem.js';
import { withSignal } from './shared-call.js';
import type { ChangedJob } from './upload/changes.js';
import { keepContent, keepPart } from './upload/conflict-copy.js';
import { contentAtPeer, uploadByCopy } from './upload/copy-upload.js';
import { uploadDirect } from './upload/direct-upload.js';
import { startingTag, uploadInPlace } from './upload/in-place-upload.js';
import { Conflict, parentOf, statOrAbsent, type UploadJob } from './upload/job.js';
import { keepChanges } from './upload/kept-changes.js';
import { Leftovers } from './upload/leftovers.js';
import { uploadByPart } from './upload/part-upload.js';
import { uploadPatch } from './upload/patch-upload.js';
import { RangeProbe } from './upload/range-probe.js';
import { partsWay, sendsParts, WAITED_FOR_BYTES } from './upload/strategy.js';
import { uploadStreamed } from './upload/streamed-upload.js';

/** RFC 9110 section 8.8.1 and a bit. */
const UNVOUCHED_MS = 1100;

type UploaderOptions = Pick<DataOptions, 'client' | 'log' | 'cacheDir' | 'readAheadBytes'>;

export function createUploader(options: UploaderOptions): Uploader {
  return new Uploads(options);
}

class Uploads implements Uploader {
  readonly #options: UploaderOptions;
  readonly #leftovers: Leftovers;
  readonly #probe: RangeProbe;

  constructor(options: UploaderOptions) {
    this.#options = options;
    this.#leftovers = new Leftovers(options.client);
    this.#probe = new RangeProbe(options.client, this.#leftovers);
  }

  async takesChanges(
    { path, attempts }: Pick<UploadTarget, 'path' | 'attempts'>,
    { size, changes }: StagingSnapshot,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (changes === undefined) return false;
    const profile = await this.#profile(signal);
    // What was begun in place is ended in place.
    if (attempts !== undefined && attempts.begun.length > 0 && size >= changes.base.size)
      return partsWay(profile) !== undefined;
    if (!sendsParts(profile, size, changes)) return false;
    if (partsWay(profile) !== 'put') return true;
    return withSignal(this.#probe.takesRanges(profile, parentOf(path)), signal);
  }

  async upload(
    target: UploadTarget,
    content: StagingSnapshot,
    signal: AbortSignal,
  ): Promise<UploadResult> {
    const profile = await this.#profile(signal);
    const leftovers = this.#leftovers;
    const job: UploadJob = { ...this.#options, profile, target, content, signal, leftovers };
    const { changes } = content;
    if (changes === undefined) return uploadWhole(job);
    const changed = changedJob(job, changes);
    if (changed && (await this.takesChanges(target, content, signal)))
      return changesOrCopy(changed);
    return uploadCompleted(job, changes);
  }

  async stream(
    target: UploadTarget,
    content: StagingSnapshot,
    signal: AbortSignal,
  ): Promise<UploadResult> {
    const profile = await this.#profile(signal);
    const leftovers = this.#leftovers;
    const job: UploadJob = { ...this.#options, profile, target, content, signal, leftovers };
    return uploadStreamed(job, partOrCopy);
  }

  async copy(target: UploadTarget, source: ContentAtPeer): Promise<UploadResult> {
    const signal = NEVER;
    const profile = await this.#profile(signal);
    const content = contentAtPeer(source.version.size);
    const exclusive = { ...target, exclusive: true };
    const leftovers = this.#leftovers;
    return uploadByCopy(
      { ...this.#options, profile, target: exclusive, content, signal, leftovers },
      source,
    );
  }

  #profile(signal: AbortSignal): Awaitable<ServerProfile> {
    const { client } = this.#options;
    return client.knownProfile ?? client.profile({ signal });
  }
}

/** Undefined: they are not changes of what is to be there. */
function changedJob(job: UploadJob, changes: ContentChanges): ChangedJob | undefined {
  const { expect } = job.target;
  const { base } = changes;
  const { etag } = base;
  if (typeof expect === 'string' || etag === undefined || expect.etag !== etag) return undefined;
  return { ...job, changes, base: { ...base, etag } };
}

async function uploadWhole(job: UploadJob): Promise<UploadResult> {
  const { profile } = job;
  if (profile.putReturnsResource || (profile.atomicPut && profile.conditionalPut))
    return directOrCopy(job);
  return partOrCopy(job);
}

async function partOrCopy(job: UploadJob): Promise<UploadResult> {
  const keep = (part: { path: string }, conflict: Conflict): Promise<never> =>
    keepPart(job, part.path, conflict);
  const resource = await uploadByPart(job, keep);
  job.leftovers.sweep();
  return { resource, durable: false };
}

/** What the server takes only as a whole is here in part. */
async function uploadCompleted(job: UploadJob, changes: ContentChanges): Promise<UploadResult> {
  if (changes.isWhole) return uploadWhole(job);
  let content: StagingSnapshot;
  try {
    content = await changes.complete(job.signal);
  } catch (error) {
    if (!(error instanceof FsError) || error.errno !== 'ESTALE') throw error;
    const current = await statOrAbsent(job, job.target.path);
    return keepChanges(job, changes, new Conflict(current));
  }
  try {
    return await uploadWhole({ ...job, content });
  } finally {
    content.release();
  }
}

async function changesOrCopy(job: ChangedJob): Promise<UploadResult> {
  try {
    return await uploadChanges(job);
  } catch (error) {
    if (error instanceof Conflict) return keepChanges(job, job.changes, error);
    // Another server may have come to the other end since its profile was asked for.
    const unknown = error instanceof DavError && [405, 415, 501].includes(error.status);
    if (unknown) return uploadCompleted(job, job.changes);
    throw error;
  }
}

async function uploadChanges(job: ChangedJob): Promise<UploadResult> {
  const { client, signal, target, profile } = job;
  const way = partsWay(profile);
  if (way === 'extents') return uploadPatch(job);
  const etag = await vouchedTag(job);
  if (etag === undefined) return uploadCompleted(job, job.changes);
  return uploadInPlace(job, etag, async (start, bytes, of) => {
    const options = { signal, precondition: { etag: of } };
    if (way === 'put') await client.putRange(target.path, start, bytes, options);
    else await client.patch(target.path, [{ start, end: start + bytes.length }], bytes, options);
  });
}

/** Apache vouches for a version when it is a second old. */
async function vouchedTag(job: ChangedJob): Promise<string | undefined> {
  const etag = await startingTag(job);
  const begun = (job.target.attempts?.begun.length ?? 0) > 0;
  if (etag !== undefined || (job.content.size <= WAITED_FOR_BYTES && !begun)) return etag;
  await sleep(UNVOUCHED_MS, undefined, { signal: job.signal });
  return startingTag(job);
}

async function directOrCopy(job: UploadJob): Promise<UploadResult> {
  try {
    return await uploadDirect(job);
  } catch (error) {
    if (error instanceof Conflict) return keepContent(job, error);
    throw error;
  }
}
