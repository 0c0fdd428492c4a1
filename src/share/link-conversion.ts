import fs from 'node:fs';
import type { Context } from './context.js';
import { ShareError } from './errors.js';
import { setTimes, type SettableTimes } from './metadata.js';
import type { Place } from './place.js';
import { forgetStored } from './property-store.js';

/** PATH_MAX without its NUL: the longest target of a link. */
const MAX_TARGET_BYTES = 4095;

/**
 * Puts a symbolic link in the place of the file whose content is the target. Any target: the server itself never follows one out
 * of the shared folder. In one turn of the loop, by one rename.
 */
export function convertToLink(context: Context, place: Place, times: SettableTimes): () => void {
  if (context.root.policy === 'hide')
    throw new ShareError(403, 'symbolic links are not shown here');
  if (place.kind !== 'file') throw new ShareError(409, 'only a file becomes a symbolic link');
  const target = readTarget(place);
  const name = context.tempNames.take();
  const path = place.sibling(name);
  try {
    fs.symlinkSync(target, path);
    try {
      const stat = fs.lstatSync(path, { bigint: true });
      setTimes(path, stat, times, context.options.attributes);
      fs.renameSync(path, place.path);
    } catch (error) {
      fs.unlinkSync(path);
      throw error;
    }
  } finally {
    context.tempNames.release(name);
  }
  forgetStored(place.path);
  // It is the last action of a request: there is nothing after it that could fail.
  return () => undefined;
}

function readTarget(place: Place): Buffer {
  const { fd, stat } = place.openFile();
  try {
    const size = Number(stat.size);
    if (size === 0 || size > MAX_TARGET_BYTES) throw new ShareError(409, 'no target of a link');
    const target = Buffer.alloc(size);
    const count = fs.readSync(fd, target, 0, size, 0);
    if (count < size || target.includes(0)) throw new ShareError(409, 'no target of a link');
    return target;
  } finally {
    fs.closeSync(fd);
  }
}
