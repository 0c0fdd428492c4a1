/** The end of a mount: what was written goes to the peer, or is kept where its writer can find it. */
import type { DavFileSystem, KeptFile, PendingFile } from '../vfs/dav-filesystem.js';
import { keptFolder } from '../vfs/keep-content.js';

const REPORT_MS = 1000;

export interface UploadRound {
  readonly fs: DavFileSystem;
  /** Without progress for this long the rest is given up. */
  readonly timeoutMs: number;
  /** Where content is kept that the peer can't be given. */
  readonly keepDir: string;
  /** Gives up at once. */
  readonly signal: AbortSignal;
  readonly say: (message: string) => void;
}

/** What could not be uploaded, one line each, with the file that keeps it. */
export async function uploadEverything(round: UploadRound): Promise<string[]> {
  const { fs, say } = round;
  if (fs.pending().length === 0) return [];
  say(`uploading ${summary(fs.pending())}; interrupt again to give up`);
  const failure = await syncWithProgress(round);
  const left = fs.pending();
  if (left.length === 0) {
    if (failure === undefined) return [];
    // Refused for good; where it was kept is in the message (a conflict copy at the peer).
    return [failure];
  }
  const kept = await fs.keepPending(keptFolder(round.keepDir));
  return kept.map(describeKept);
}

function describeKept(file: KeptFile): string {
  const { path, keptIn, error, journaled } = file;
  if (keptIn === undefined) {
    return `${path} could not be uploaded and could not be kept (${error ?? 'unknown'})`;
  }
  if (journaled === true) {
    return `${path} could not be uploaded; it stays in the journal (${keptIn}), and the next mount goes on with it`;
  }
  return `${path} could not be uploaded; what was written is kept in ${keptIn}${partsNote(file)}`;
}

function partsNote({ partsIn }: KeptFile): string {
  return partsIn === undefined
    ? ''
    : `, which has only the parts that ${partsIn} lists: the rest of the file is as it was at the other end`;
}

/** The reason why not all of it arrived. */
async function syncWithProgress(round: UploadRound): Promise<string | undefined> {
  const { fs, say, timeoutMs } = round;
  const stalled = new AbortController();
  let left = fs.pending().length;
  let since = performance.now();
  const timer = setInterval(() => {
    const now = fs.pending();
    if (now.length !== left) {
      left = now.length;
      since = performance.now();
      say(`uploading ${summary(now)}`);
    } else if (performance.now() - since > timeoutMs && left > 0) {
      // Requests have deadlines of their own; this is for many files on a dead peer, one after another.
      stalled.abort(new Error(`no file arrived at the peer for ${timeoutMs / 1000} s`));
    }
  }, REPORT_MS);
  try {
    await fs.syncAll(AbortSignal.any([round.signal, stalled.signal]));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearInterval(timer);
  }
}

function summary(files: readonly PendingFile[]): string {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return `${files.length} ${files.length === 1 ? 'file' : 'files'} (${formatBytes(bytes)})`;
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]!}`;
}
