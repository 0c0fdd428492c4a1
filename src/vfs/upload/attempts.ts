/** Uploads of a file that got no answer. What one of them has left at the peer is ours, also when more was written since. */
import { createHash } from 'node:crypto';
import { HttpError } from '../../http/types.js';
import { DavError, type Resource } from '../../webdav/types.js';
import type { StagingSnapshot } from '../content.js';
import type { ByteExtent } from '../extent-set.js';
import type { UploadJob } from './job.js';

const PIECE_BYTES = 256 * 1024;
/** Of one file; an older one is not what the peer has any more. */
const MAX_ATTEMPTS = 8;
/** Of a longer content no digest is made: should it get there unheard, the one that follows is kept as a conflict copy. */
const MAX_NOTED_BYTES = 64 * 1024 * 1024;

/** What the peer has if it did what it was asked for. */
export interface SentParts {
  readonly size: number;
  readonly parts: readonly (ByteExtent & { readonly digest: string })[];
}

/** One part that is written in place: what was there, and what is to be. */
export interface InPlaceWrite {
  readonly start: number;
  /** Shorter where the file ended before. */
  readonly before: Buffer;
  readonly after: Buffer;
}

export class Attempts {
  #unanswered: SentParts[] = [];
  #begun: InPlaceWrite[] = [];

  get unanswered(): readonly SentParts[] {
    return this.#unanswered;
  }

  note(sent: SentParts): void {
    this.#unanswered = [sent, ...this.#unanswered].slice(0, MAX_ATTEMPTS);
  }

  /** Since the last upload that was confirmed, the latest first. */
  get begun(): readonly InPlaceWrite[] {
    return this.#begun;
  }

  begin(write: InPlaceWrite): void {
    const end = write.start + write.after.length;
    const others = this.#begun.filter(
      ({ start, after }) => start < write.start || start + after.length > end,
    );
    this.#begun = [write, ...others];
  }

  clear(): void {
    this.#unanswered = [];
    this.#begun = [];
  }
}

export async function digestsOf(
  content: StagingSnapshot,
  extents: readonly ByteExtent[],
): Promise<SentParts> {
  const parts = [];
  for (const part of extents) {
    const hash = createHash('sha256');
    for await (const piece of bytesOf(content, [part])) hash.update(piece);
    parts.push({ ...part, digest: hash.digest('hex') });
  }
  return { size: content.size, parts };
}

/** The bytes of all parts, one behind the other. */
export async function* bytesOf(
  content: StagingSnapshot,
  parts: readonly ByteExtent[],
): AsyncGenerator<Uint8Array> {
  for (const { start, end } of parts) {
    for (let at = start; at < end; at += PIECE_BYTES) {
      yield await content.read(at, Math.min(PIECE_BYTES, end - at));
    }
  }
}

/** What was sent may be there all the same, or arrive yet. */
export function isUnanswered(error: unknown): boolean {
  return !(error instanceof DavError) && !(error instanceof HttpError && error.unsent);
}

/** The whole content was sent, and `error` is what came of it. */
export async function noteUnanswered(
  { target, content }: Pick<UploadJob, 'target' | 'content'>,
  error: unknown,
): Promise<void> {
  const { attempts } = target;
  if (attempts !== undefined && isUnanswered(error)) await noteSent(attempts, content);
}

export async function noteSent(attempts: Attempts, content: StagingSnapshot): Promise<void> {
  if (content.size > MAX_NOTED_BYTES) return;
  attempts.note(await digestsOf(content, [{ start: 0, end: content.size }]));
}

/** Is what the peer has there by an earlier attempt? A name that was to be made exclusively can't be told from a rival's. */
export async function isOurs(job: UploadJob, current: Resource | undefined): Promise<boolean> {
  const { attempts, exclusive } = job.target;
  if (exclusive === true) return false;
  for (const sent of attempts?.unanswered ?? []) {
    if (await holdsParts(job, current, sent)) return true;
  }
  return false;
}

/** Has the peer what was sent? */
export async function holdsParts(
  job: UploadJob,
  current: Resource | undefined,
  { size, parts }: SentParts,
): Promise<boolean> {
  const { target, client, signal } = job;
  if (current?.kind !== 'file' || current.size !== size || current.etag === undefined) return false;
  for (const { start, end, digest } of parts) {
    const hash = createHash('sha256');
    const sink = { onData: (chunk: Buffer) => void hash.update(chunk) };
    try {
      await client.get(target.path, sink, { signal, etag: current.etag, start, end });
    } catch (error) {
      if (error instanceof DavError) return false;
      throw error;
    }
    if (hash.digest('hex') !== digest) return false;
  }
  return true;
}
