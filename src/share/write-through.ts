/**
 * New content for a file with several names. A rename would give it to one of them only: so it is staged like any other, and when it
 * is whole, copied into the file itself. No other request sees the file half done (`ContentLocks`); a crash in the middle is seen.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import type { Context } from './context.js';
import type { FsPath } from './fs-path.js';
import { setTimes, settableMode, type StoredMetadata } from './metadata.js';
import { openRegularFile, type Place } from './place.js';

const CHUNK_BYTES = 1024 * 1024;
const { O_RDONLY, O_WRONLY, O_NOFOLLOW } = fs.constants;

const fsync = promisify(fs.fsync);
const ftruncate = promisify(fs.ftruncate);
const read = promisify((fd: number, buffer: Buffer, length: number, at: number, done: Done): void =>
  fs.read(fd, buffer, 0, length, at, done),
);
const write = promisify(
  (fd: number, buffer: Buffer, from: number, length: number, at: number, done: Done): void =>
    fs.write(fd, buffer, from, length, at, done),
);
type Done = (error: Error | null, count?: number) => void;

export function isLinked({ kind, stat }: Place): boolean {
  return kind === 'file' && stat !== undefined && stat.nlink > 1n;
}

/** What new content at the place has to wait for; undefined in a turn of the loop in which it has not. Refreshes the place. */
export function inUse(
  { nameLocks, contentLocks }: Context,
  place: Place,
): Promise<void> | undefined {
  const held = nameLocks.inUse(place);
  if (held) return held;
  const stat = place.refresh();
  return stat && contentLocks.inUse(stat);
}

/** REQUIRES: `isLinked`, not in use, and checked in this turn of the loop. */
export async function writeThrough(
  context: Context,
  source: FsPath,
  place: Place,
  metadata: StoredMetadata,
  durable: boolean,
): Promise<void> {
  const { fd, stat } = openRegularFile(place.path, O_WRONLY);
  try {
    const from = fs.openSync(source, O_RDONLY | O_NOFOLLOW);
    try {
      context.versions.note(stat);
      const copy = (): Promise<void> => copyContent(from, fd, Number(stat.size));
      const change = (): Promise<void> => context.contentLocks.change(stat, copy);
      await context.nameLocks.hold(place, change);
    } finally {
      fs.closeSync(from);
    }
    const { mode, ...times } = metadata;
    if (mode !== undefined) fs.fchmodSync(fd, settableMode(mode));
    setTimes(place.path, stat, times, context.options.attributes);
    if (durable) await fsync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

async function copyContent(from: number, to: number, oldSize: number): Promise<void> {
  const { size } = fs.fstatSync(from);
  try {
    // What is beyond the old end comes first: where the disk is too full for it, the old content is still whole.
    await copyRange(from, to, oldSize, size);
  } catch (error) {
    fs.ftruncateSync(to, oldSize);
    throw error;
  }
  await copyRange(from, to, 0, Math.min(oldSize, size));
  if (size < oldSize) await ftruncate(to, size);
}

async function copyRange(from: number, to: number, start: number, end: number): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(CHUNK_BYTES, end - start)));
  for (let at = start; at < end;) {
    const count = (await read(from, buffer, Math.min(buffer.length, end - at), at)) ?? 0;
    if (count === 0) throw new Error('what was staged became shorter');
    for (let done = 0; done < count;) {
      done += (await write(to, buffer, done, count - done, at + done)) ?? 0;
    }
    at += count;
  }
}
