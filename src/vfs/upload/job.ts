import { createHash } from 'node:crypto';
import { HttpError, type HttpBody } from '../../http/types.js';
import type { Logger } from '../../log.js';
import {
  DavError,
  type Precondition,
  type Resource,
  type ServerProfile,
  type WebDavClient,
} from '../../webdav/types.js';
import type { StagingSnapshot, UploadTarget } from '../content.js';
import { FsError } from '../filesystem.js';
import type { Leftovers } from './leftovers.js';
import { sameVersion } from '../reader/versions.js';

/** Content that is sent from memory instead of piece by piece. */
export const WHOLE_BODY_BYTES = 256 * 1024;

/** One upload and what every step of it needs. */
export interface UploadJob {
  readonly client: WebDavClient;
  readonly log: Logger;
  readonly cacheDir: string;
  readonly readAheadBytes: number;
  readonly profile: ServerProfile;
  readonly target: UploadTarget;
  readonly content: StagingSnapshot;
  readonly signal: AbortSignal;
  readonly leftovers: Leftovers;
}

/** The peer has another version than the one expected; `current` undefined: nothing. */
export class Conflict extends Error {
  readonly current: Resource | undefined;

  constructor(current: Resource | undefined) {
    super('another version is there');
    this.current = current;
  }
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

export async function statOrAbsent(job: UploadJob, path: string): Promise<Resource | undefined> {
  try {
    return await job.client.stat(path, { signal: job.signal });
  } catch (error) {
    if (error instanceof DavError && (error.status === 404 || error.status === 410))
      return undefined;
    throw error;
  }
}

/** The peer may be gone for good: then the first error is the one to tell. */
export async function statAfter(job: UploadJob, failure: unknown): Promise<Resource | undefined> {
  try {
    return await statOrAbsent(job, job.target.path);
  } catch (error) {
    job.signal.throwIfAborted();
    throw failure instanceof HttpError ? failure : error;
  }
}

export function isExpected(job: UploadJob, current: Resource | undefined): boolean {
  const { expect } = job.target;
  if (expect === 'any') return true;
  if (expect === 'absent') return current === undefined;
  return current !== undefined && current.kind === 'file' && sameVersion(current, expect);
}

/**
 * Names the case precisely: the folder that the file was in is gone (phodav says 500, RFC 4918 §9.7.1 409). A 412 that was no conflict
 * must not look like one.
 */
export async function explainRefusal(job: UploadJob, error: unknown): Promise<unknown> {
  if (!(error instanceof DavError) || ![500, 409, 412].includes(error.status)) return error;
  if (error.status === 412) {
    return new FsError('EIO', `${job.target.path} could not be put in place`, { cause: error });
  }
  const parent = parentOf(job.target.path);
  const current = await statOrAbsent(job, parent).catch(() => error);
  if (current !== undefined) {
    if (error.status !== 500 || !(await isFull(job))) return error;
    return new FsError('ENOSPC', 'the peer has no room for it', { cause: error });
  }
  return new FsError('ENOENT', `the folder ${parent} of ${job.target.path} is gone`, {
    cause: error,
  });
}

/** phodav says 500 for a full disk, too. */
async function isFull({ client, profile, content, signal }: UploadJob): Promise<boolean> {
  if (!profile.quota) return false;
  const { availableBytes } = await client
    .quota('', { signal })
    .catch(() => ({ availableBytes: undefined }));
  return availableBytes !== undefined && availableBytes < content.size;
}

export async function bodyOf(content: StagingSnapshot): Promise<HttpBody> {
  if (content.grows === true) return { size: undefined, open: () => content.open() };
  if (content.size > WHOLE_BODY_BYTES) return { size: content.size, open: () => content.open() };
  const pieces: Uint8Array[] = [];
  for await (const piece of content.open()) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

export function preconditionOf(job: UploadJob): Precondition | undefined {
  const { expect } = job.target;
  if (expect === 'any') return undefined;
  if (expect === 'absent') return { absent: true };
  return expect.etag === undefined ? undefined : { etag: expect.etag };
}

/**
 * Does the peer have exactly our bytes at `path`? What an upload whose answer was lost did, or what somebody else did alike: either
 * way there is nothing left to store.
 */
export function holdsContent(
  { client, content, signal }: UploadJob,
  path: string,
  current: Resource | undefined,
): Promise<boolean> {
  return contentIsAt(client, path, current, content, signal);
}

export async function contentIsAt(
  client: WebDavClient,
  path: string,
  current: Resource | undefined,
  content: StagingSnapshot,
  signal: AbortSignal,
): Promise<boolean> {
  if (current?.kind !== 'file' || current.size !== content.size) return false;
  const theirs = createHash('sha256');
  const sink = { onData: (chunk: Buffer) => void theirs.update(chunk) };
  try {
    await client.get(path, sink, { signal });
  } catch (error) {
    if (error instanceof DavError) return false;
    throw error;
  }
  const ours = createHash('sha256');
  for await (const piece of content.open()) ours.update(piece);
  return ours.digest().equals(theirs.digest());
}

/**
 * The answer got lost while the peer may be there: worth a look at what it did. After a deadline or with the peer out of reach every
 * further request would only make the caller wait longer.
 */
export function isLost(error: unknown): error is HttpError {
  return (
    error instanceof HttpError && (error.code === 'HTTP_LOST' || error.code === 'HTTP_PROTOCOL')
  );
}

export function sizeError(job: UploadJob, stored: Resource | undefined): FsError {
  const { target, content } = job;
  const found = stored ? `${stored.size} bytes` : 'nothing';
  return new FsError(
    'EIO',
    `${target.path}: ${content.size} bytes were sent, the peer has ${found}`,
  );
}
