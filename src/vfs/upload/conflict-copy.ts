import { encodeName, decodeName } from '../../names.js';
import { DavError, type Resource } from '../../webdav/types.js';
import { FsError } from '../filesystem.js';
import { bodyOf, parentOf, statOrAbsent, type Conflict, type UploadJob } from './job.js';

/** NAME_MAX of Linux. */
const MAX_NAME_BYTES = 255;
/** More copies of one second than this are somebody's loop. */
const MAX_COPIES = 100;

/** `NAME (conflict DATE)`, in UTC, then ` 2`, ` 3`, … behind it; the name is cut where it would be too long. */
export function conflictName(name: string, at: Date, count: number): string {
  // 2026-11-23 10-15-02: a colon is no character of a name on some of the systems that look at the share.
  const time = at.toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '-');
  const suffix = ` (conflict ${time})${count > 1 ? ` ${count}` : ''}`;
  let bytes = encodeName(name);
  const room = MAX_NAME_BYTES - suffix.length;
  if (bytes.length > room) {
    let end = room;
    // Not in the middle of a character.
    while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
    bytes = bytes.subarray(0, end);
  }
  return decodeName(bytes) + suffix;
}

/**
 * Stores `content` beside the target under a free name with `store` (false: taken) and fails with the errno of the conflict. `about`: what
 * else is to be said of the copy.
 */
export async function keepCopy(
  job: UploadJob,
  conflict: Conflict,
  store: (path: string) => Promise<boolean>,
  about?: string,
): Promise<never> {
  const { path, expect } = job.target;
  const appeared = expect === 'absent';
  if (appeared && job.content.size === 0) throw new FsError('EEXIST', `${path} was there before`);
  const name = path.slice(path.lastIndexOf('/') + 1);
  const now = new Date();
  for (let count = 1; count <= MAX_COPIES; count += 1) {
    const copy = conflictName(name, now, count);
    if (!(await store(`${parentOf(path)}/${copy}`))) continue;
    const what = describe(conflict.current, appeared);
    job.log.warn(`${what} by someone else; what was written here is kept as a copy`, {
      path,
      copy,
      ...(about !== undefined && { about }),
    });
    throw new FsError(
      appeared ? 'EEXIST' : 'ESTALE',
      `${path} ${what} by someone else; what was written here is kept as ${copy}`,
    );
  }
  throw new FsError('EIO', `${path}: no free name for a conflict copy`);
}

/** What `keepCopy` fails with. */
export function isConflict(error: unknown): error is FsError {
  return error instanceof FsError && (error.errno === 'ESTALE' || error.errno === 'EEXIST');
}

function describe(current: Resource | undefined, appeared: boolean): string {
  if (current === undefined) return 'was removed';
  return appeared ? 'was created' : 'was changed';
}

/** The complete part becomes the copy. */
export function keepPart(job: UploadJob, partPath: string, conflict: Conflict): Promise<never> {
  return keepCopy(job, conflict, async (path) => {
    if (!job.profile.moveNoReplace && (await statOrAbsent(job, path))) return false;
    try {
      await job.client.move(partPath, path, { signal: job.signal, overwrite: false });
      return true;
    } catch (error) {
      if (!(error instanceof DavError) || error.status !== 412) throw error;
      if (await statOrAbsent(job, path)) return false;
      throw error;
    }
  });
}

/** The content is sent once more. */
export function keepContent(job: UploadJob, conflict: Conflict, about?: string): Promise<never> {
  const store = async (path: string): Promise<boolean> => {
    try {
      const body = await bodyOf(job.content);
      await job.client.put(path, body, { signal: job.signal, precondition: { absent: true } });
    } catch (error) {
      if (error instanceof DavError && error.status === 412) return false;
      throw error;
    }
    const stored = await job.client.stat(path, { signal: job.signal });
    if (stored.size === job.content.size) return true;
    throw new FsError('EIO', `${path}: the peer has ${stored.size} bytes of ${job.content.size}`);
  };
  return keepCopy(job, conflict, store, about);
}
