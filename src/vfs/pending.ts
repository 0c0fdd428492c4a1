/** Mode and times that were set on a file that is not at the peer yet: they go with its next upload. */
import type { ServerProfile, Timespec } from '../webdav/types.js';
import { permissionsOf, typeOf, type OwnerOptions } from './attributes.js';
import type { UploadTarget } from './content.js';
import type { FileData } from './file-data.js';
import type { Node } from './node.js';

export interface Pending {
  readonly mode: number | undefined;
  readonly mtime: Timespec | undefined;
  readonly atime: Timespec | undefined;
}

export function pendingOf({ pendingMode, pendingMtime, pendingAtime }: FileData): Pending {
  return { mode: pendingMode, mtime: pendingMtime, atime: pendingAtime };
}

export function posixOf(node: Node, { mode, mtime, atime }: Pending): UploadTarget['posix'] {
  if (mode === undefined && mtime === undefined && atime === undefined) return undefined;
  return {
    ...(mode !== undefined && { mode: typeOf(node.resource) | mode }),
    ...(mtime !== undefined && { mtime }),
    ...(atime !== undefined && { atime }),
  };
}

/**
 * With the mode that new content would lose at the peer. mod_dav's PUT makes a file with the mode of new ones, so that the old one could be
 * executed is said again; and a stored property is replaced as a whole, so times take the mode along.
 */
export function withKeptMode(
  node: Node,
  pending: Pending,
  owner: OwnerOptions,
  profile: ServerProfile | undefined,
): Pending {
  const { resource } = node;
  const { mode, mtime, atime } = pending;
  if (mode !== undefined || profile === undefined) return pending;
  const isStored = resource.posix?.mode !== undefined && !profile.livePosix;
  const isReplaced = isStored && (mtime !== undefined || atime !== undefined);
  const isFlagged = profile.setsExecutable && resource.executable === true;
  if (!isReplaced && !isFlagged) return pending;
  return { ...pending, mode: permissionsOf(resource, owner, profile) };
}

/** What was stored is pending no more; true when something else is by now. */
export function forgetPending(data: FileData, stored: Pending): boolean {
  if (data.pendingMode === stored.mode) data.pendingMode = undefined;
  if (data.pendingMtime === stored.mtime) data.pendingMtime = undefined;
  if (data.pendingAtime === stored.atime) data.pendingAtime = undefined;
  const { mode, mtime, atime } = pendingOf(data);
  return mode !== undefined || mtime !== undefined || atime !== undefined;
}
