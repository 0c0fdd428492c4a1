/**
 * Content that the peer copies itself: no byte crosses the channel. On our own share one COPY, which puts the whole in place at once;
 * elsewhere a COPY to a hidden name, then MOVE, as servers copy into the name that readers look at.
 */
import { newPartName } from './part-name.js';
import {
  DavError,
  DAVPORT_NS,
  XATTR_NS,
  type PropertyChange,
  type Resource,
} from '../../webdav/types.js';
import { formatPosixProperty } from '../../webdav/posix-property.js';
import { NEVER } from '../awaitable.js';
import type { ContentAtPeer, StagingSnapshot, UploadResult } from '../content.js';
import { FsError } from '../filesystem.js';
import { sameVersion } from '../reader/versions.js';
import { isLost, parentOf, type UploadJob } from './job.js';
import { uploadByPart, type Part } from './part-upload.js';

const MAX_ATTEMPTS = 3;

/** What a part's job asks of the content: its size. It is never compared or sent again, as the peer's own is at hand. */
export function contentAtPeer(size: number): StagingSnapshot {
  const refuse = (): never => {
    throw new FsError('EIO', 'the content is at the peer');
  };
  return {
    size,
    generation: 0,
    open: refuse,
    read: refuse,
    release: () => undefined,
  };
}

/** REQUIRES: `job.target.exclusive`, so that nobody compares contents. */
export async function uploadByCopy(job: UploadJob, source: ContentAtPeer): Promise<UploadResult> {
  const resource = job.profile.putReturnsResource
    ? await copyDirect(job, source)
    : await uploadByPart(
        job,
        () => conflict(job),
        () => copyToPart(job, source),
      );
  return { resource, durable: false };
}

/** Nothing is to be kept: the source is there. */
function conflict({ target }: UploadJob): Promise<never> {
  const error =
    target.expect === 'absent'
      ? new FsError('EEXIST', `${target.path} was created by someone else`)
      : new FsError('ESTALE', `${target.path} was changed by someone else`);
  return Promise.reject(error);
}

async function copyDirect(job: UploadJob, source: ContentAtPeer): Promise<Resource> {
  const { client, target, signal } = job;
  const { path, expect } = target;
  const replaced = typeof expect === 'string' ? undefined : expect.etag;
  if (replaced !== undefined && (await extendedAttributes(job, path)).length > 0) {
    throw new FsError('EOPNOTSUPP', `${path}: a copy would replace its extended attributes`);
  }
  let told: Resource | undefined;
  try {
    told = await client.copy(source.path, path, {
      signal,
      overwrite: expect !== 'absent',
      ...ofVersion(source),
      ...(replaced !== undefined && { destinationEtag: replaced }),
    });
  } catch (error) {
    if (!(error instanceof DavError)) throw error;
    // Of the source, which its reader will tell, or of the target.
    if (error.status === 412 && (await isUnchanged(job, source))) return conflict(job);
    throw refusal(error);
  }
  const resource = told ?? (await client.stat(path, { signal }));
  return withModeGiven(job, path, resource);
}

/** What the server won't copy is sent; that its disk is full is no matter of the way. */
function refusal(error: DavError): unknown {
  if (error.status === 507) return error;
  return new FsError('EOPNOTSUPP', 'the peer does not copy this file', { cause: error });
}

async function isUnchanged({ client, signal }: UploadJob, source: ContentAtPeer): Promise<boolean> {
  const now = await client.stat(source.path, { signal }).catch(() => undefined);
  return now !== undefined && sameVersion(now, source.version);
}

async function copyToPart(job: UploadJob, source: ContentAtPeer): Promise<Part> {
  const { client, signal, content } = job;
  for (let attempt = 1; ; attempt += 1) {
    const path = `${parentOf(job.target.path)}/${newPartName()}`;
    try {
      await client.copy(source.path, path, { signal, overwrite: false, ...ofVersion(source) });
      const resource = await client.stat(path, { signal });
      // What was copied while somebody else wrote it is of no version.
      if (resource.size === content.size && (await isUnchanged(job, source))) {
        const attributes = await extendedAttributes(job, path);
        await client.proppatch(path, attributes, { signal });
        return { path, resource };
      }
      throw new FsError('EOPNOTSUPP', `${source.path} changed while it was copied`);
    } catch (error) {
      job.leftovers.removeSoon(path);
      if (error instanceof DavError) throw refusal(error);
      if (!isLost(error) || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

function ofVersion({ version: { etag } }: ContentAtPeer): { sourceEtag?: string } {
  return etag === undefined ? {} : { sourceEtag: etag };
}

/** The copy gets the mode that the program gave it, which our own share tells and keeps. */
async function withModeGiven(job: UploadJob, path: string, copy: Resource): Promise<Resource> {
  const { client, signal, target } = job;
  const changes = await extendedAttributes(job, path);
  if (target.posix?.mode !== undefined && target.posix.mode !== copy.posix?.mode) {
    const value = formatPosixProperty(target.posix);
    changes.push({ ns: DAVPORT_NS, name: 'posix', value });
  }
  if (changes.length === 0) return copy;
  const told = await client.proppatch(path, changes, { signal });
  return told ?? client.stat(path, { signal });
}

/** A COPY takes along what programs copy themselves if they want it. These are the changes that remove it. */
async function extendedAttributes(job: UploadJob, path: string): Promise<PropertyChange[]> {
  const { client, profile } = job;
  if (!profile.deadProperties) return [];
  const names = await client.propertyNames(path, { signal: NEVER });
  return names.filter(({ ns }) => ns === XATTR_NS).map((name) => ({ ...name, value: undefined }));
}
