/** How content gets to the peer; which way, is a matter of what was changed and what the server promises. */
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
import type { ChangedJob } from './upload/changes.js';
import { keepContent, keepPart } from './upload/conflict-copy.js';
import { contentAtPeer, uploadByCopy } from './upload/copy-upload.js';
import { uploadDirect } from './upload/direct-upload.js';
import { Conflict, statOrAbsent, type UploadJob } from './upload/job.js';
import { keepChanges } from './upload/kept-changes.js';
import { Leftovers } from './upload/leftovers.js';
import { uploadByPart } from './upload/part-upload.js';
import { uploadPatch } from './upload/patch-upload.js';
import { sendsParts } from './upload/strategy.js';
import { uploadStreamed } from './upload/streamed-upload.js';

export function createUploader(options: Pick<DataOptions, 'client' | 'log'>): Uploader {
  return new Uploads(options);
}

class Uploads implements Uploader {
  readonly #options: Pick<DataOptions, 'client' | 'log'>;
  readonly #leftovers: Leftovers;

  constructor(options: Pick<DataOptions, 'client' | 'log'>) {
    this.#options = options;
    this.#leftovers = new Leftovers(options.client);
  }

  async takesChanges({ size, changes }: StagingSnapshot, signal: AbortSignal): Promise<boolean> {
    return changes !== undefined && sendsParts(await this.#profile(signal), size, changes);
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
    const changed = changes && changedJob(job, changes);
    if (changed && sendsParts(profile, content.size, changed.changes)) return patchOrCopy(changed);
    if (changes === undefined || changes.isWhole) return uploadWhole(job);
    return uploadCompleted(job, changes);
  }

  async stream(
    target: UploadTarget,
    content: StagingSnapshot,
    signal: AbortSignal,
  ): Promise<UploadResult> {
    const profile = await this.#profile(signal);
    const leftovers = this.#leftovers;
    return uploadStreamed({ ...this.#options, profile, target, content, signal, leftovers });
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
  const keep = (part: { path: string }, conflict: Conflict): Promise<never> =>
    keepPart(job, part.path, conflict);
  const resource = await uploadByPart(job, keep);
  job.leftovers.sweep();
  return { resource, durable: false };
}

/** What the server takes only as a whole is here in part. */
async function uploadCompleted(job: UploadJob, changes: ContentChanges): Promise<UploadResult> {
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

async function patchOrCopy(job: ChangedJob): Promise<UploadResult> {
  try {
    return await uploadPatch(job);
  } catch (error) {
    if (error instanceof Conflict) return keepChanges(job, job.changes, error);
    // Another server may have come to the other end since its profile was asked for.
    const unknown = error instanceof DavError && [405, 415, 501].includes(error.status);
    if (unknown) return uploadCompleted(job, job.changes);
    throw error;
  }
}

async function directOrCopy(job: UploadJob): Promise<UploadResult> {
  try {
    return await uploadDirect(job);
  } catch (error) {
    if (error instanceof Conflict) return keepContent(job, error);
    throw error;
  }
}
