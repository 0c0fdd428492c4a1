/**
 * Contents on local disk that the peer doesn't have yet, with what is to be done with them. What was added is there again after a crash of
 * davport or of the machine, until it is removed.
 */
import { crc32 } from 'node:zlib';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import type { Logger } from '../../log.js';
import type { StagingSnapshot } from '../content.js';
import { FsError } from '../filesystem.js';
import type { Intent, PutFrame } from './frame.js';
import { contentFile, recover } from './recover.js';
import { SegmentWriter, type Place } from './segment-writer.js';
import { syncFolder } from './sync-folder.js';

/** Contents up to here are in the segments; a larger one has a file of its own. */
const INLINE_BYTES = 256 * 1024;
/** What need not be on disk at once, gets there within this. */
const LAZY_SYNC_MS = 1000;
/** Segments of twice what is needed, and this, are written anew. */
const SPARE_BYTES = 64 * 1024 * 1024;

const NO_BODY = new Uint8Array(0);

export class JournalEntry {
  readonly seq: number;
  readonly size: number;
  readonly crc: number;
  readonly inFile: boolean;
  /** When it was added, or found. */
  readonly since = Date.now();
  intent: Intent;
  /** INVARIANT: with a content in the segment, where that is. */
  place: Place;
  file: Promise<FileHandle> | undefined;
  /** Nothing is to be done with it any more. */
  done = false;
  /** Who may still read it. */
  readers = 0;
  /** An upload of it was begun: the peer may have it although nobody heard so. */
  tried = false;
  /** It counts among the attempts of the file. */
  noted = false;

  constructor(put: PutFrame, intent: Intent, place: Place) {
    ({ seq: this.seq, size: this.size, crc: this.crc, inFile: this.inFile } = put);
    this.intent = intent;
    this.place = place;
  }
}

export class Journal {
  readonly folder: string;
  readonly #writer: SegmentWriter;
  readonly #live = new Set<JournalEntry>();
  #nextSeq: number;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #tidying: Promise<void> | undefined;

  private constructor(folder: string, writer: SegmentWriter, nextSeq: number) {
    this.folder = folder;
    this.#writer = writer;
    this.#nextSeq = nextSeq;
  }

  /** REQUIRES: no other process uses the folder. */
  static async open(folder: string, log: Logger): Promise<Journal> {
    const found = await recover(folder, log);
    const writer = new SegmentWriter(folder, found.segments, found.nextSegment);
    const journal = new Journal(folder, writer, found.nextSeq);
    for (const { put, intent, segment, at } of found.contents) {
      const entry = new JournalEntry(put, intent, { segment, at });
      entry.tried = true;
      journal.#live.add(entry);
      journal.#bytes += entry.size;
    }
    await writer.removeUnneeded();
    return journal;
  }

  /** Contents that are not done, in the order in which they came. */
  get entries(): ReadonlySet<JournalEntry> {
    return this.#live;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Nothing can be added any more: the disk failed. */
  get broken(): boolean {
    return this.#writer.broken !== undefined;
  }

  /** Resolves when content and intent are on disk. */
  async add(intent: Intent, content: StagingSnapshot): Promise<JournalEntry> {
    const seq = this.#nextSeq++;
    const inFile = content.size > INLINE_BYTES;
    const { crc, body } = inFile
      ? { crc: await this.#writeFile(seq, content), body: NO_BODY }
      : await collect(content);
    const put: PutFrame = { op: 'put', seq, intent, size: content.size, inFile, crc };
    try {
      const place = await this.#writer.append(put, body, true);
      const entry = new JournalEntry(put, intent, place);
      place.segment.live += 1;
      this.#live.add(entry);
      this.#bytes += entry.size;
      return entry;
    } catch (error) {
      if (inFile) await unlink(contentFile(this.folder, seq)).catch(() => undefined);
      throw error;
    }
  }

  /** Resolves when it is written: it survives this process, and within a second the machine. */
  async change(entry: JournalEntry, change: Partial<Intent>): Promise<void> {
    entry.intent = { ...entry.intent, ...change };
    if (entry.done) return;
    await this.#writer.append(
      { op: 'change', seq: entry.seq, intent: entry.intent },
      NO_BODY,
      false,
    );
    this.#syncSoon();
  }

  /** It is at the peer, or no longer wanted. On disk with `settle`. Never rejects. */
  remove(entry: JournalEntry): void {
    if (entry.done) return;
    entry.done = true;
    this.#live.delete(entry);
    this.#bytes -= entry.size;
    this.#writer.append({ op: 'done', seq: entry.seq }, NO_BODY, false).then(
      () => this.#syncSoon(),
      // The next mount uploads it again, and finds it there.
      () => undefined,
    );
    if (entry.inFile) void this.#removeFile(entry);
    this.#freeIfUnused(entry);
  }

  /** The bytes stay readable until `release`, also when it is done. */
  retain(entry: JournalEntry): void {
    entry.readers += 1;
    // Before its name goes.
    if (entry.inFile) void this.#bytesOf(entry).catch(() => undefined);
  }

  release(entry: JournalEntry): void {
    entry.readers -= 1;
    this.#freeIfUnused(entry);
  }

  #freeIfUnused(entry: JournalEntry): void {
    if (!entry.done || entry.readers > 0) return;
    entry.place.segment.live -= 1;
    void entry.file?.then((file) => file.close()).catch(() => undefined);
  }

  /** Resolves when all changes and removals until now are on disk. */
  settle(): Promise<void> {
    return this.#writer.settle();
  }

  /** Exactly the bytes that are there of [offset, offset + length). REQUIRES: retained, or not done. */
  async read(entry: JournalEntry, offset: number, length: number): Promise<Buffer> {
    const count = Math.max(0, Math.min(length, entry.size - offset));
    const buffer = Buffer.allocUnsafe(count);
    for (let done = 0; done < count;) {
      const { file, at } = await this.#bytesOf(entry);
      const { bytesRead } = await file.read(buffer, done, count - done, at + offset + done);
      if (bytesRead === 0) throw new FsError('EIO', `the journal has less of ${entry.intent.path}`);
      done += bytesRead;
    }
    return buffer;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#tidying;
    await this.#writer.close();
    for (const { file } of this.#live) await file?.then((opened) => opened.close());
  }

  async #bytesOf(entry: JournalEntry): Promise<{ file: FileHandle; at: number }> {
    if (!entry.inFile) return { file: entry.place.segment.file, at: entry.place.at };
    entry.file ??= open(contentFile(this.folder, entry.seq), 'r');
    return { file: await entry.file, at: 0 };
  }

  async #writeFile(seq: number, content: StagingSnapshot): Promise<number> {
    const path = contentFile(this.folder, seq);
    const file = await open(path, 'wx', 0o600);
    let crc = 0;
    try {
      for await (const piece of content.open()) {
        crc = crc32(piece, crc);
        await file.writeFile(piece);
      }
      await file.datasync();
    } catch (error) {
      await unlink(path).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
    await syncFolder(this.folder);
    return crc;
  }

  /** Not before everybody knows that it is done: a content without its file would look like damage. */
  async #removeFile(entry: JournalEntry): Promise<void> {
    try {
      await this.settle();
      await unlink(contentFile(this.folder, entry.seq));
    } catch {
      // The next mount does it.
    }
  }

  #syncSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#tidying !== undefined) {
        // It has begun without what is asked for now.
        this.#syncSoon();
        return;
      }
      this.#tidying = this.settle()
        .then(() => this.#tidy())
        .catch(() => undefined)
        .finally(() => (this.#tidying = undefined));
    }, LAZY_SYNC_MS).unref();
  }

  /** Segments that one old content keeps from being removed grow without end: it is written again, at the end. */
  async #tidy(): Promise<void> {
    await this.#writer.removeUnneeded();
    while (this.#wastes()) {
      const oldest = this.#writer.segments[0]!;
      for (const entry of this.#live) {
        if (entry.place.segment === oldest) await this.#moveToEnd(entry);
      }
      await this.settle();
      await this.#writer.removeUnneeded();
      if (this.#writer.segments[0] === oldest) return;
    }
  }

  #wastes(): boolean {
    const { segments } = this.#writer;
    const total = segments.reduce((sum, { bytes }) => sum + bytes, 0);
    let needed = 0;
    for (const { inFile, size } of this.#live) if (!inFile) needed += size;
    return segments.length > 1 && total > SPARE_BYTES + 2 * needed;
  }

  async #moveToEnd(entry: JournalEntry): Promise<void> {
    const { seq, size, inFile, crc } = entry;
    const body = inFile ? NO_BODY : await this.read(entry, 0, size);
    if (!this.#live.has(entry)) return;
    const put: PutFrame = { op: 'put', seq, intent: entry.intent, size, inFile, crc };
    const place = await this.#writer.append(put, body, false);
    if (!this.#live.has(entry)) return;
    entry.place.segment.live -= 1;
    entry.place = place;
    place.segment.live += 1;
  }
}

async function collect(content: StagingSnapshot): Promise<{ crc: number; body: Buffer }> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content.open()) pieces.push(piece);
  const body = Buffer.concat(pieces);
  return { crc: crc32(body), body };
}
