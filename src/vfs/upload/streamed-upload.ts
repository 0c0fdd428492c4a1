/** One attempt to bring a content that is still being written. What goes wrong is for the upload of the whole content to find out. */
import type { UploadResult } from '../content.js';
import { FsError } from '../filesystem.js';
import { DAVPORT_NS, type PosixProperty, type Resource } from '../../webdav/types.js';
import { formatPosixProperty } from '../../webdav/posix-property.js';
import { bodyOf, preconditionOf, type UploadJob } from './job.js';

/** `job.target.posix` is what is known at the time of the question: mode and times may be set until the end. */
export async function uploadStreamed(
  job: UploadJob,
  byPart: (job: UploadJob) => Promise<UploadResult>,
): Promise<UploadResult> {
  if (job.profile.putReturnsResource) return { resource: await putStreamed(job), durable: false };
  // The versions are compared when the name is taken, not when the body begins: that may be long before.
  return byPart(job);
}

/** davport's own share checks the conditions again when it puts the body in place. */
async function putStreamed(job: UploadJob): Promise<Resource> {
  const { client, content, signal, target } = job;
  const { path, posix } = target;
  const precondition = preconditionOf(job);
  const along = { ...(posix && { posix }), ...(precondition && { precondition }) };
  const { resource } = await client.put(path, await bodyOf(content), { signal, ...along });
  if (resource?.size !== content.size) {
    throw new FsError('EIO', `${path}: not all of the ${content.size} bytes are there`);
  }
  const later = target.posix;
  return later === undefined || isSame(posix, later) ? resource : store(job, later);
}

async function store(
  { client, signal, target }: UploadJob,
  posix: PosixProperty,
): Promise<Resource> {
  const change = { ns: DAVPORT_NS, name: 'posix', value: formatPosixProperty(posix) };
  const told = await client.proppatch(target.path, [change], { signal });
  return told ?? client.stat(target.path, { signal });
}

function isSame(a: PosixProperty | undefined, b: PosixProperty): boolean {
  return a !== undefined && formatPosixProperty(a) === formatPosixProperty(b);
}
