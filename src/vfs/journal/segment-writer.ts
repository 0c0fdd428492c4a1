/**
 * Appends frames to the segments of one folder. Frames that come while the disk is busy are written, and synced, together: many closes
 * at a time cost one fdatasync.
 */
import { randomBytes } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from './sync-folder.js';
import { encodeFrame, encodeHeader, HEADER_BYTES, bodyOffset, type Frame } from './frame.js';

/** A segment is removed as a whole, when nothing in it is needed any more. */
const SEGMENT_BYTES = 16 * 1024 * 1024;

/** Zeros behind a short batch: to sync bytes that take the place of others takes half as long as to sync those that make a file longer. */
const SPARE = Buffer.alloc(256 * 1024);
const SHORT_BYTES = 64 * 1024;

const NO_BODY = new Uint8Array(0);

export interface Place {
  readonly segment: Segment;
  /** Of the body. */
  readonly at: number;
}

export interface Segment {
  readonly number: number;
  readonly file: FileHandle;
  readonly salt: number;
  bytes: number;
  /** With the zeros behind. */
  fileBytes: number;
  /** Contents whose frame is here and which are not done. */
  live: number;
}

interface Waiting {
  /** Undefined: only what was appended before is waited for. */
  readonly frame: Frame | undefined;
  readonly body: Uint8Array;
  readonly sync: boolean;
  readonly resolve: (place: Place | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export function segmentFile(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(8, '0')}.log`);
}

export class SegmentWriter {
  readonly #folder: string;
  /** Oldest first; the last one is written. INVARIANT: frames about a content are never in an older segment than the content. */
  readonly #segments: Segment[];
  #next: number;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** Counts writes; those up to #synced are on disk. */
  #written = 0;
  #synced = 0;
  /** The disk failed in a way that leaves unknown what is on it. */
  #broken: Error | undefined;

  constructor(folder: string, segments: Segment[], next: number) {
    this.#folder = folder;
    this.#segments = segments;
    this.#next = next;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get broken(): Error | undefined {
    return this.#broken;
  }

  /** Resolves when the frame is written, with `sync` when it is on disk. Frames are in the order of the calls. */
  async append(frame: Frame, body: Uint8Array, sync: boolean): Promise<Place> {
    return (await this.#enqueue(frame, body, sync))!;
  }

  /** Resolves when all that was appended before is on disk. */
  async settle(): Promise<void> {
    if (this.#running === undefined && this.#synced === this.#written) return;
    await this.#enqueue(undefined, NO_BODY, true);
  }

  #enqueue(frame: Frame | undefined, body: Uint8Array, sync: boolean): Promise<Place | undefined> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ frame, body, sync, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  async close(): Promise<void> {
    await this.settle().catch(() => undefined);
    const last = this.#segments.at(-1);
    if (last !== undefined) await this.#cut(last).catch(() => undefined);
    await Promise.all(this.#segments.map(({ file }) => file.close()));
  }

  async #run(): Promise<void> {
    // What is asked for in the same turn goes together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        await this.#write(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    if (this.#broken) throw this.#broken;
    const segment = await this.#current();
    let at = segment.bytes;
    const parts: Buffer[] = [];
    const places: (Place | undefined)[] = [];
    for (const { frame, body } of batch) {
      if (frame === undefined) {
        places.push(undefined);
        continue;
      }
      const bytes = encodeFrame(frame, segment.salt, at, body);
      places.push({ segment, at: at + bodyOffset(bytes) });
      parts.push(bytes);
      at += bytes.length;
    }
    await this.#writeBehind(segment, parts, at - segment.bytes);
    segment.bytes = at;
    this.#written += 1;
    if (batch.some(({ sync }) => sync)) await this.#sync(segment);
    batch.forEach(({ resolve }, i) => resolve(places[i]));
  }

  async #writeBehind(segment: Segment, parts: readonly Buffer[], length: number): Promise<void> {
    const grows = segment.bytes + length > segment.fileBytes;
    const bytes = Buffer.concat(grows && length <= SHORT_BYTES ? [...parts, SPARE] : parts);
    let done = 0;
    try {
      while (done < bytes.length) {
        const position = segment.bytes + done;
        done += (await segment.file.write(bytes, done, bytes.length - done, position)).bytesWritten;
      }
    } catch (error) {
      // The disk is full: without the zeros then.
      if (done < length) {
        // What was written of it is a torn tail, which the next frame takes the place of.
        await this.#cut(segment).catch((reason: unknown) => this.#break(reason));
        throw error;
      }
    }
    segment.fileBytes = Math.max(segment.fileBytes, segment.bytes + done);
  }

  /** Ends the file with its last frame. */
  async #cut(segment: Segment): Promise<void> {
    await segment.file.truncate(segment.bytes);
    segment.fileBytes = segment.bytes;
  }

  async #sync({ file }: Segment): Promise<void> {
    const written = this.#written;
    try {
      await file.datasync();
      this.#synced = written;
    } catch (error) {
      // The kernel tells such an error once, and takes the pages for clean afterwards.
      this.#break(error);
      throw error;
    }
  }

  #break(reason: unknown): void {
    this.#broken = reason instanceof Error ? reason : new Error(String(reason));
  }

  async #current(): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.bytes < SEGMENT_BYTES) return last;
    if (last !== undefined) {
      // What is behind the last frame of a segment that has a successor is damage; and its frames are about contents of the new one as
      // well: they must not be there without these.
      await this.#cut(last);
      await this.#sync(last);
    }
    const number = this.#next++;
    const path = segmentFile(this.#folder, number);
    const file = await open(path, 'wx+', 0o600);
    try {
      const salt = randomBytes(4).readUInt32LE();
      await file.write(encodeHeader(number, salt), 0, HEADER_BYTES, 0);
      await syncFolder(this.#folder);
      const segment = { number, file, salt, bytes: HEADER_BYTES, fileBytes: HEADER_BYTES, live: 0 };
      this.#segments.push(segment);
      return segment;
    } catch (error) {
      await file.close();
      await unlink(path).catch(() => undefined);
      throw error;
    }
  }

  /** The oldest segments that hold nothing any more, but for the one that is written. */
  async removeUnneeded(): Promise<void> {
    while (this.#segments.length > 1 && this.#segments[0]!.live === 0) {
      const { file, number } = this.#segments.shift()!;
      await file.close();
      await unlink(segmentFile(this.#folder, number));
    }
  }
}
