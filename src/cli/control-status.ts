/** What the process of a mount does for `davport status`. */
import type { DavFileSystem, PendingFile } from '../vfs/dav-filesystem.js';
import type { ControlHandler } from './control-server.js';

/** More are counted, not listed. */
const MAX_LISTED = 1000;

export interface StatusQuestion {
  readonly op: 'status';
}

/** One line for each file, and these numbers at the end. */
export interface StatusEnd {
  /** Undefined where nobody can tell (http). */
  readonly connected?: boolean;
  readonly files: number;
  readonly bytes: number;
}

export function statusHandler(
  fs: DavFileSystem,
  isConnected: () => boolean | undefined,
): ControlHandler {
  return (_question, tell) => {
    const pending = fs.pending();
    for (const file of pending.slice(0, MAX_LISTED)) tell({ file });
    const connected = isConnected();
    const end: StatusEnd = {
      files: pending.length,
      bytes: pending.reduce((sum, { size }: PendingFile) => sum + size, 0),
      ...(connected !== undefined && { connected }),
    };
    tell({ end });
    return Promise.resolve();
  };
}
