import { HttpError, type BodySink } from '../../http/types.js';
import { DavError, type GetResult, type Resource, type ServerProfile } from '../../webdav/types.js';
import type { ContentReader, DataOptions, FileVersion } from '../content.js';
import { FsError } from '../filesystem.js';
import { ContentSource, type Settling } from './content-source.js';
import { isSmall, readerFor } from './reader-for.js';
import { SegmentReader } from './segment-reader.js';
import { sameVersion, versionOf, versionOfHead } from './versions.js';

/** First range of a big file: enough for those who look at the head of a file only. */
const FIRST_WINDOW_BYTES = 256 * 1024;
/** A file that keeps changing between looking and opening is given up. */
const MAX_ATTEMPTS = 3;

export interface OpenedContent {
  readonly reader: ContentReader;
  readonly version: FileVersion;
}

/** How much the request of an open brings along; undefined: all. */
function firstWindow(size: number, profile: ServerProfile): number | undefined {
  return !profile.cheapRanges || isSmall(size, profile) ? undefined : FIRST_WINDOW_BYTES;
}

/** Where the disk has what the request of an open would bring, only the version is asked for. Undefined: it has to be fetched. */
async function openKept(
  path: () => string,
  version: FileVersion,
  profile: ServerProfile,
  options: DataOptions,
  signal: AbortSignal,
  settling?: Settling,
): Promise<OpenedContent | undefined> {
  const source = new ContentSource(options, path, version, settling);
  let opened: OpenedContent | undefined;
  try {
    const cached = await source.cached();
    if (!cached?.has(0, firstWindow(version.size, profile) ?? version.size)) return undefined;
    const now = versionOf(await options.client.stat(path(), { signal }));
    if (sameVersion(now, version))
      opened = { reader: readerFor(source, profile, options), version };
    return opened;
  } finally {
    if (!opened) source.close();
  }
}

/** The file is not of the size that the request was made for: the request has to be another one. */
class OtherSize extends Error {
  readonly version: FileVersion;

  constructor(version: FileVersion) {
    super('the size has changed');
    this.version = version;
  }
}

/**
 * Opens the version that is there now (`known` is only what the request is shaped after) with one request, which brings the first
 * bytes along. Resolves when the version is known; the bytes go on arriving. Rejects with what the GET rejects with.
 */
export async function openContent(
  path: () => string,
  known: Resource | undefined,
  profile: ServerProfile,
  options: DataOptions,
  signal: AbortSignal,
  settling?: Settling,
): Promise<OpenedContent> {
  let version = known && versionOf(known);
  for (let attempt = 1; ; attempt += 1) {
    version ??= versionOf(await options.client.stat(path(), { signal }));
    try {
      const kept = options.contents && attempt === 1;
      const opened = kept && (await openKept(path, version, profile, options, signal, settling));
      if (opened) return opened;
      return await new Opening(path, version, profile, options, settling).start(signal);
    } catch (error) {
      signal.throwIfAborted();
      const other = error instanceof OtherSize ? error.version : undefined;
      if (!other && !unsatisfiable(error)) throw error;
      if (attempt >= MAX_ATTEMPTS) {
        throw new FsError('ESTALE', `${path()} changes all the time`, { cause: error });
      }
      version = other;
    }
  }
}

/** A file that has become shorter than the range: told by a status, or by an answer that isn't the range that was asked for. */
function unsatisfiable(error: unknown): boolean {
  if (error instanceof DavError) return error.status === 416;
  return error instanceof HttpError && error.code === 'HTTP_PROTOCOL';
}

class Opening implements BodySink {
  readonly #path: () => string;
  readonly #known: FileVersion;
  readonly #profile: ServerProfile;
  readonly #options: DataOptions;
  readonly #settling: Settling | undefined;
  readonly #controller = new AbortController();
  #receiver: { take(chunk: Buffer): void } | undefined;

  constructor(
    path: () => string,
    known: FileVersion,
    profile: ServerProfile,
    options: DataOptions,
    settling: Settling | undefined,
  ) {
    this.#path = path;
    this.#settling = settling;
    this.#known = known;
    this.#profile = profile;
    this.#options = options;
  }

  onData(chunk: Buffer): void {
    this.#receiver?.take(chunk);
  }

  start(signal: AbortSignal): Promise<OpenedContent> {
    signal.throwIfAborted();
    const range = this.#range();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.#controller.abort(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const settled = (): void => signal.removeEventListener('abort', onAbort);
      let refusal: unknown;
      const onHead = (head: GetResult): void => {
        try {
          const opened = this.#onHead(head, range.end, done);
          settled();
          resolve(opened);
        } catch (error) {
          refusal = error;
          throw error;
        }
      };
      const done: Promise<unknown> = this.#options.client.get(this.#path(), this, {
        signal: this.#controller.signal,
        onHead,
        ...range,
      });
      // After the head this is the transfer's to judge; the reader's transfer listens as well.
      done.catch((error: unknown) => {
        settled();
        reject(refusal ?? error);
      });
    });
  }

  #range(): { start?: number; end?: number } {
    const end = firstWindow(this.#known.size, this.#profile);
    return end === undefined ? {} : { start: 0, end };
  }

  /** The request is on its way for `end` bytes (undefined: all); makes the reader that takes them. */
  #onHead(head: GetResult, end: number | undefined, done: Promise<unknown>): OpenedContent {
    const version = versionOfHead(head, this.#known);
    // A whole-file answer fits any reader but the one of windows; a window's answer fits no other.
    const windows = (size: number): boolean =>
      this.#profile.cheapRanges && !isSmall(size, this.#profile);
    if (windows(this.#known.size) !== windows(version.size)) throw new OtherSize(version);

    const source = new ContentSource(this.#options, this.#path, version, this.#settling);
    const reader = readerFor(source, this.#profile, this.#options);
    const running = { done, controller: this.#controller };
    if (reader instanceof SegmentReader) {
      if (version.size > 0) {
        const segment = reader.expect({ start: 0, end: end ?? version.size });
        this.#receiver = segment;
        segment.begin(running);
      }
    } else {
      this.#receiver = reader;
      reader.begin(running);
    }
    return { reader, version };
  }
}
