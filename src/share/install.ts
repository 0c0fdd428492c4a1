/** How a file or tree takes a place that may be taken (RFC 4918 sections 9.8.4 and 9.9.3): by renames, so that nothing is half there. */
import fs from 'node:fs';
import { promisify } from 'node:util';
import type { Context } from './context.js';
import { preconditionFailed } from './conditional.js';
import { errnoCode } from './errors.js';
import type { FsPath } from './fs-path.js';
import type { Kind, Place } from './place.js';
import { moveStored } from './property-store.js';
import { TreeRemoval } from './tree.js';

const rename = promisify(fs.rename);

export interface Installation {
  readonly context: Context;
  readonly from: FsPath;
  readonly kind: Kind;
  readonly to: Place;
  readonly overwrite: boolean;
}

/**
 * Renames `from` to `to`. REQUIRES: the name is free (`NameLocks`), `to` was refreshed in this turn of the loop, and is missing unless `overwrite`. Everything that
 * is seen by others happens before the promise; after it, what was replaced has been removed.
 */
export async function install(installation: Installation): Promise<void> {
  const { context, from, kind, to, overwrite } = installation;
  if (to.kind === 'missing') {
    if (overwrite) fs.renameSync(from, to.path);
    else renameExclusively(from, kind, to.path);
    moveStored(from, to.path);
    return;
  }
  if (kind !== 'collection' && to.kind !== 'collection') {
    if (isSameFile(from, to)) {
      // rename(2) does nothing with two names of one file.
      fs.unlinkSync(from);
      moveStored(from, to.path);
      return;
    }
    await context.nameLocks.hold(to, async () => {
      await rename(from, to.path);
      moveStored(from, to.path);
    });
    return;
  }
  await replaceTree(context, from, to);
}

function isSameFile(from: FsPath, { stat }: Place): boolean {
  if (stat === undefined || stat.nlink < 2n) return false;
  const { dev, ino } = fs.lstatSync(from, { bigint: true });
  return dev === stat.dev && ino === stat.ino;
}

/** rename(2) would replace what another program has made since the check. */
function renameExclusively(from: FsPath, kind: Kind, to: FsPath): void {
  try {
    if (kind === 'collection') {
      // Over an empty folder of our own making a rename is allowed; over one that was filled since, it isn't.
      fs.mkdirSync(to, 0o700);
      fs.renameSync(from, to);
    } else {
      fs.linkSync(from, to);
      fs.unlinkSync(from);
    }
  } catch (error) {
    const code = errnoCode(error);
    if (code === 'EEXIST' || code === 'ENOTEMPTY') throw preconditionFailed();
    if (kind === 'collection') {
      tryRemoveFolder(to);
      throw error;
    }
    // No hard links here, or not for us.
    if (code !== 'EPERM' && code !== 'EOPNOTSUPP' && code !== 'EMLINK') throw error;
    fs.renameSync(from, to);
  }
}

function tryRemoveFolder(path: FsPath): void {
  try {
    fs.rmdirSync(path);
  } catch {
    // It was never made, or somebody uses it: the error to tell is the one before.
  }
}

async function replaceTree(context: Context, from: FsPath, to: Place): Promise<void> {
  const trashName = context.tempNames.take();
  const trash = to.sibling(trashName);
  try {
    fs.renameSync(to.path, trash);
    try {
      fs.renameSync(from, to.path);
    } catch (error) {
      fs.renameSync(trash, to.path);
      throw error;
    }
    moveStored(from, to.path);
    const removal = new TreeRemoval(context);
    await removal.remove(trash);
    for (const { names, status } of removal.failures) {
      context.options.log.warn('could not remove all of a replaced collection', {
        member: names.join('/'),
        status,
      });
    }
  } finally {
    context.tempNames.release(trashName);
  }
}
