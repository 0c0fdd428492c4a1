/** Uploads of a file that got no answer. What one of them has left at the peer is ours, also when more was written since. */
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpError } from '../../http/types.js';
import { DavError, type Resource } from '../../webdav/types.js';
import type { StagingSnapshot } from '../content.js';
import type { ByteExtent } from '../extent-set.js';
import { isExpected, statOrAbsent, type UploadJob } from './job.js';

const PIECE_BYTES = 256 * 1024;
/** Of one file; an older one is not what the peer has any more. */
const MAX_ATTEMPTS = 8;
/** Of a longer content no digest is made: should it get there unheard, the one that follows is kept as a conflict copy. */
const MAX_NOTED_BYTES = 64 * 1024 * 1024;

/**
 * So long a server may take for what it has received whole, though its client has gone. A disk that is busy holds a rename up for
 * hundreds of milliseconds.
 */
const ARRIVAL_MS = 2000;
const FIRST_PAUSE_MS = 25;
const MAX_PAUSE_MS = 400;

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
  readonly #arrivalMs: number;
  /** As `performance.now()`. */
  #arrivesUntil = -Infinity;

  constructor(arrivalMs = ARRIVAL_MS) {
    this.#arrivalMs = arrivalMs;
  }

  /** Nobody heard what became of a request. */
  mayArrive(): void {
    this.#arrivesUntil = performance.now() + this.#arrivalMs;
  }

  /** It was carried out: nothing else is on its way. */
  arrived(): void {
    this.#arrivesUntil = -Infinity;
  }

  /** May something that was sent be carried out yet? */
  get isArriving(): boolean {
    return performance.now() < this.#arrivesUntil;
  }

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
    this.arrived();
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
  attempts.mayArrive();
  if (content.size > MAX_NOTED_BYTES) return;
  attempts.note(await digestsOf(content, [{ start: 0, end: content.size }]));
}

/**
 * Before a content is sent behind one that got no answer: mod_dav looks at the precondition when a request begins, and a former content
 * that it was about to put in place then takes the place of the later one.
 */
export async function awaitArrival(
  job: UploadJob,
  hasArrived = async () => !isExpected(job, await statOrAbsent(job, job.target.path)),
): Promise<void> {
  const { attempts } = job.target;
  for (let pause = FIRST_PAUSE_MS; attempts?.isArriving === true; pause *= 2) {
    if (await hasArrived()) return;
    await sleep(Math.min(pause, MAX_PAUSE_MS), undefined, { signal: job.signal });
  }
}

/** Is what the peer has there by an earlier attempt? A name that was to be made exclusively can't be told from a rival's. */
export async function isOurs(job: UploadJob, current: Resource | undefined): Promise<boolean> {
  const { attempts, exclusive } = job.target;
  if (exclusive === true) return false;
  for (const sent of attempts?.unanswered ?? []) {
    if (!(await holdsParts(job, current, sent))) continue;
    attempts?.arrived();
    return true;
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
