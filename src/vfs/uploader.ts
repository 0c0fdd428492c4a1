/** How content gets to the peer; which way, is a matter of what the server promises. */
import { NEVER } from './awaitable.js';
import type {
  ContentAtPeer,
  DataOptions,
  StagingSnapshot,
  Uploader,
  UploadResult,
  UploadTarget,
} from './content.js';
import { Conflict, type UploadJob } from './upload/job.js';
import { contentAtPeer, uploadByCopy } from './upload/copy-upload.js';
import { keepContent, keepPart } from './upload/conflict-copy.js';
import { Leftovers } from './upload/leftovers.js';
import { uploadDirect } from './upload/direct-upload.js';
import { uploadByPart } from './upload/part-upload.js';

export function createUploader(options: Pick<DataOptions, 'client' | 'log'>): Uploader {
  const { client, log } = options;
  const leftovers = new Leftovers(client);
  return {
    async upload(
      target: UploadTarget,
      content: StagingSnapshot,
      signal: AbortSignal,
    ): Promise<UploadResult> {
      const profile = client.knownProfile ?? (await client.profile({ signal }));
      const job: UploadJob = { client, log, profile, target, content, signal, leftovers };
      const direct = profile.putReturnsResource || (profile.atomicPut && profile.conditionalPut);
      if (direct) return directOrCopy(job);
      const keep = (part: { path: string }, conflict: Conflict) =>
        keepPart(job, part.path, conflict);
      const resource = await uploadByPart(job, keep);
      leftovers.sweep();
      return { resource, durable: false };
    },

    async copy(target: UploadTarget, source: ContentAtPeer): Promise<UploadResult> {
      const signal = NEVER;
      const profile = client.knownProfile ?? (await client.profile());
      const content = contentAtPeer(source.version.size);
      const exclusive = { ...target, exclusive: true };
      return uploadByCopy(
        { client, log, profile, target: exclusive, content, signal, leftovers },
        source,
      );
    },
  };
}

async function directOrCopy(job: UploadJob): Promise<UploadResult> {
  try {
    return await uploadDirect(job);
  } catch (error) {
    if (error instanceof Conflict) return keepContent(job, error);
    throw error;
  }
}
