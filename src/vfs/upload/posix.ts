/** Mode and times stored beside the content, where the peer keeps what it doesn't know. */
import {
  APACHE_NS,
  DAVPORT_NS,
  type PosixProperty,
  type PropertyChange,
  type Resource,
} from '../../webdav/types.js';
import { formatPosixProperty } from '../../webdav/posix-property.js';
import type { UploadJob } from './job.js';

const EXECUTE_BITS = 0o111;

/** What is to be stored with the version at hand; undefined: nothing. */
function propertyFor(job: UploadJob, etag: string | undefined): PosixProperty | undefined {
  const { posix } = job.target;
  if (!posix || (posix.mode === undefined && posix.mtime === undefined)) return undefined;
  return { ...posix, ...(etag === undefined ? {} : { etag }) };
}

/**
 * Stores mode and times for the resource at `path`, which holds our content, and returns it as it then is. A peer that refuses them
 * has the content all the same: the refusal is logged, not raised.
 */
export async function storePosix(
  job: UploadJob,
  path: string,
  resource: Resource,
): Promise<Resource> {
  const posix = propertyFor(job, resource.etag);
  if (!posix) return resource;
  const { profile } = job;
  const changes: PropertyChange[] = [];
  if (profile.deadProperties || profile.livePosix) {
    changes.push({ ns: DAVPORT_NS, name: 'posix', value: formatPosixProperty(posix) });
  }
  const executable = posix.mode === undefined ? undefined : (posix.mode & EXECUTE_BITS) !== 0;
  if (profile.setsExecutable && executable !== undefined) {
    changes.push({ ns: APACHE_NS, name: 'executable', value: executable ? 'T' : 'F' });
  }
  if (changes.length === 0) return resource;
  try {
    const told = await job.client.proppatch(path, changes, { signal: job.signal });
    // Our own share: the version is another one by that.
    if (told !== undefined) return told;
  } catch (error) {
    job.log.warn('mode and times could not be stored', { path, reason: (error as Error).message });
    return resource;
  }
  return {
    ...resource,
    posix,
    mtime: posix.mtime ?? resource.mtime,
    executable: profile.setsExecutable ? (executable ?? resource.executable) : resource.executable,
  };
}
