/**
 * Changes of a file's content in place: its inode stays, with all its names. Not atomic as a rename is: what a killed share has begun
 * stays half done. But a change begins only when all its bytes are here, and no request sees the middle of it.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import type { Context } from './context.js';
import { ShareError } from './errors.js';
import { setTimes, settableMode, type StoredMetadata } from './metadata.js';
import { openRegularFile, type Place } from './place.js';
import type { ByteRange } from './range.js';
import type { StagedBody } from './staged-body.js';
import type { FileState } from './file-state.js';

const ftruncate = promisify(fs.ftruncate);

/** A part of a body, and where in the file it goes. */
export interface Extent {
  readonly range: ByteRange;
  readonly at: number;
}

export interface InPlaceChange {
  readonly body: StagedBody;
  /** What of it is written; ascending in the file. */
  readonly extents: readonly Extent[];
  /** Length of the file afterwards; undefined: as it comes. */
  readonly size: number | undefined;
  readonly metadata: StoredMetadata;
}

/** Has the file other names, which a rename over this one would not change? */
export function isLinked({ kind, stat }: Place): boolean {
  return kind === 'file' && stat !== undefined && stat.nlink > 1n;
}

/** Undefined: name and content are free in this turn of the loop. Otherwise look again when the promise resolves. Refreshes `place`. */
export function inUse(context: Context, place: Place): Promise<void> | undefined {
  place.refresh();
  return inUseAsSeen(context, place);
}

/** As `inUse`. REQUIRES: `place` was refreshed in this turn. */
export function inUseAsSeen(
  { nameLocks, contentLocks }: Context,
  place: Place,
): Promise<void> | undefined {
  return nameLocks.inUse(place) ?? (place.stat && contentLocks.inUse(place.stat));
}

/** REQUIRES: `inUse` said no, and all checks were made of `place`, a regular file, in this turn of the loop. */
export async function changeInPlace(
  context: Context,
  place: Place,
  change: InPlaceChange,
): Promise<void> {
  const checked = place.existing();
  const { fd, stat } = openRegularFile(place.path, fs.constants.O_WRONLY);
  try {
    if (stat.ino !== checked.ino || stat.dev !== checked.dev) {
      throw new ShareError(409, 'the file was replaced in this moment');
    }
    const work = (): Promise<void> => apply(context, place, fd, stat, change);
    const from = Math.min(change.extents[0]?.at ?? Infinity, change.size ?? Infinity);
    await context.nameLocks.hold(place, () => context.contentLocks.change(stat, from, work));
  } finally {
    fs.closeSync(fd);
  }
}

async function apply(
  context: Context,
  place: Place,
  fd: number,
  stat: FileState,
  change: InPlaceChange,
): Promise<void> {
  checkRoom(fd, change.extents, Number(stat.size));
  context.versions.note(stat);
  // What a client writes never runs as somebody else.
  if ((stat.mode & 0o6000n) !== 0n) fs.fchmodSync(fd, settableMode(Number(stat.mode)));
  try {
    await writeContent(fd, Number(stat.size), change);
    const { mode, ...times } = change.metadata;
    if (mode !== undefined) fs.fchmodSync(fd, settableMode(mode));
    setTimes(place.path, fs.fstatSync(fd, { bigint: true }), times, context.options.attributes);
  } finally {
    // Until it can be told from the version before, nobody may look.
    place.refresh();
    if (!context.versions.settleNow(place)) await context.versions.settle(place);
  }
}

/**
 * What goes beyond the old end comes first: where the disk is full, nothing has been overwritten yet, and the file gets back its size.
 * (Where overwriting takes room, too, as on file systems that copy on write, a full disk can leave a part of the change.)
 */
async function writeContent(
  fd: number,
  before: number,
  { body, extents, size }: InPlaceChange,
): Promise<void> {
  const last = extents.at(-1);
  const end = last === undefined ? before : Math.max(before, last.at + lengthOf(last));
  try {
    if (size !== undefined && size > end) await ftruncate(fd, size);
    for (const extent of extents) {
      const { at, range } = extent;
      const inside = insideOf(extent, before);
      await body.copyTo(fd, { start: range.start + inside, end: range.end }, at + inside);
    }
  } catch (error) {
    await ftruncate(fd, before);
    throw error;
  }
  for (const extent of extents) {
    const { at, range } = extent;
    await body.copyTo(fd, { ...range, end: range.start + insideOf(extent, before) }, at);
  }
  if (size !== undefined && size < end) await ftruncate(fd, size);
}

/**
 * Said before the file is touched: one that was extended and cut back again has another tag, which the client then takes for a change of
 * somebody else's.
 */
function checkRoom(fd: number, extents: readonly Extent[], before: number): void {
  let growth = 0;
  for (const extent of extents) growth += lengthOf(extent) - insideOf(extent, before);
  if (growth === 0) return;
  const { blocks, bavail, bsize } = fs.statfsSync(`/proc/self/fd/${fd}`);
  // Some file systems don't tell.
  if (blocks === 0 || growth < (bavail + 1) * bsize) return;
  throw new ShareError(507, 'no space left on the disk of the share');
}

function lengthOf({ range }: Extent): number {
  return range.end - range.start;
}

/** How much of it overwrites what a file of this size has. */
function insideOf(extent: Extent, size: number): number {
  return Math.min(Math.max(size - extent.at, 0), lengthOf(extent));
}
