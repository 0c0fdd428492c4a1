/** Reads what a former process left in a folder. */
import { crc32 } from 'node:zlib';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../log.js';
import { readFrames, readHeader, type FoundFrame, type Intent, type PutFrame } from './frame.js';
import { segmentFile, type Segment } from './segment-writer.js';

const SEGMENT_NAME = /^(\d{8})\.log$/;
const CONTENT_NAME = /^(\d+)\.content$/;
/** Where damaged segments and contents are kept for who wants to look. */
const DAMAGED_FOLDER = 'damaged';

export function contentFile(folder: string, seq: number): string {
  return join(folder, `${seq}.content`);
}

export interface FoundContent {
  readonly put: PutFrame;
  readonly intent: Intent;
  readonly segment: Segment;
  /** In the segment, of a content that is there. */
  readonly at: number;
}

export interface Recovered {
  /** By number. */
  readonly contents: readonly FoundContent[];
  readonly segments: Segment[];
  readonly nextSegment: number;
  readonly nextSeq: number;
}

interface Found {
  put: PutFrame;
  intent: Intent;
  segment: Segment;
  at: number;
  intact: boolean;
}

export async function recover(folder: string, log: Logger): Promise<Recovered> {
  const names = await readdir(folder);
  const numbers = names.flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []).map(Number);
  numbers.sort((a, b) => a - b);
  const found = new Map<number, Found>();
  const segments: Segment[] = [];
  let lastSeq = 0;
  for (const number of numbers) {
    const isLast = number === numbers.at(-1);
    const read = await readSegment(folder, number, isLast, log);
    if (read === undefined) continue;
    segments.push(read.segment);
    lastSeq = read.frames.reduce((last, { frame }) => Math.max(last, frame.seq), lastSeq);
    for (const frame of read.frames) apply(found, read.segment, frame);
  }
  for (const name of names) {
    const seq = Number(CONTENT_NAME.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(seq)) continue;
    lastSeq = Math.max(lastSeq, seq);
    // Done, or never told to be stored.
    if (found.get(seq)?.put.inFile !== true) await unlink(join(folder, name));
  }
  const contents: FoundContent[] = [];
  for (const each of found.values()) {
    if (await isIntact(folder, each)) {
      each.segment.live += 1;
      contents.push(each);
    } else {
      await putAside(folder, each);
      log.error('a content in the journal is damaged; it is not uploaded and kept aside', {
        path: each.intent.path,
        folder: join(folder, DAMAGED_FOLDER),
      });
    }
  }
  contents.sort((a, b) => a.put.seq - b.put.seq);
  return { contents, segments, nextSegment: (numbers.at(-1) ?? 0) + 1, nextSeq: lastSeq + 1 };
}

async function readSegment(
  folder: string,
  number: number,
  isLast: boolean,
  log: Logger,
): Promise<{ segment: Segment; frames: readonly FoundFrame[] } | undefined> {
  const path = segmentFile(folder, number);
  const file = await open(path, 'r+');
  const bytes = await file.readFile();
  const salt = readHeader(bytes, number);
  if (salt === undefined) {
    await file.close();
    // The machine stopped while the segment was being made.
    if (!isLast || bytes.some((byte) => byte !== 0)) await putSegmentAside(folder, number, log);
    await unlink(path);
    return undefined;
  }
  const { frames, end, damaged } = readFrames(bytes, salt);
  if (damaged > 0 || (end < bytes.length && !isLast)) await putSegmentAside(folder, number, log);
  if (end < bytes.length) await file.truncate(end);
  return { segment: { number, file, salt, bytes: end, fileBytes: end, live: 0 }, frames };
}

function apply(
  found: Map<number, Found>,
  segment: Segment,
  { frame, bodyAt, intact }: FoundFrame,
): void {
  if (frame.op === 'put') {
    found.set(frame.seq, { put: frame, intent: frame.intent, segment, at: bodyAt, intact });
  } else if (frame.op === 'done') {
    found.delete(frame.seq);
  } else {
    const changed = found.get(frame.seq);
    if (changed !== undefined) changed.intent = frame.intent;
  }
}

async function isIntact(folder: string, { put, intact }: Found): Promise<boolean> {
  if (!put.inFile) return intact;
  try {
    let crc = 0;
    let size = 0;
    for await (const piece of createReadStream(contentFile(folder, put.seq))) {
      crc = crc32(piece as Buffer, crc);
      size += (piece as Buffer).length;
    }
    return crc === put.crc && size === put.size;
  } catch {
    return false;
  }
}

async function damagedFolder(folder: string): Promise<string> {
  const aside = join(folder, DAMAGED_FOLDER);
  await mkdir(aside, { recursive: true, mode: 0o700 });
  return aside;
}

async function putSegmentAside(folder: string, number: number, log: Logger): Promise<void> {
  const aside = await damagedFolder(folder);
  const path = segmentFile(folder, number);
  await copyFile(path, join(aside, `${number}-${Date.now()}.log`));
  log.error('the journal is damaged; what can be read of it is uploaded', { path, copy: aside });
}

async function putAside(folder: string, { put, segment }: Found): Promise<void> {
  const aside = await damagedFolder(folder);
  const source = put.inFile ? contentFile(folder, put.seq) : segmentFile(folder, segment.number);
  if ((await stat(source).catch(() => undefined)) === undefined) return;
  const kind = put.inFile ? 'content' : 'log';
  await copyFile(source, join(aside, `${put.seq}-${Date.now()}.${kind}`));
  if (put.inFile) await unlink(source);
}
