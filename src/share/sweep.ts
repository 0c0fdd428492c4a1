/** Removes what former processes left when they were killed in the middle of a PUT or COPY. */
import fs from 'node:fs';
import { isUploadName } from '../webdav/hidden-names.js';
import type { Context } from './context.js';
import { FolderReader, type FolderEntry } from './folder-reader.js';
import { Slices } from '../slices.js';
import { TreeRemoval } from './tree.js';

/** Looks through the whole folder, in slices, beside the work for clients. Gives how many leftovers were removed. */
export async function sweep(context: Context, startedAt: number): Promise<number> {
  const work = new Sweep(context, startedAt);
  await work.folder('/proc/self/fd/' + String(context.root.fd) + '/.');
  return work.removed;
}

class Sweep {
  removed = 0;
  readonly #context: Context;
  readonly #startedAt: number;
  readonly #slices = new Slices();

  constructor(context: Context, startedAt: number) {
    this.#context = context;
    this.#startedAt = startedAt;
  }

  async folder(path: FolderEntry['path']): Promise<void> {
    let folder: FolderReader;
    try {
      folder = new FolderReader(path);
    } catch {
      // Gone, or not for us.
      return;
    }
    try {
      for (let entry = folder.next(); entry; entry = folder.next()) {
        if (isUploadName(entry.name)) await this.#leftover(folder, entry);
        else if (entry.isFolder) await this.folder(entry.path);
        const pause = this.#slices.pause();
        if (pause) await pause;
        if (this.#context.closing.aborted) return;
      }
    } finally {
      folder.close();
    }
  }

  async #leftover(folder: FolderReader, entry: FolderEntry): Promise<void> {
    const stat = folder.stat(entry);
    if (!stat || this.#context.tempNames.isActive(entry.name)) return;
    // Younger ones are a client's upload, or of another process that shares the folder, too.
    if (Number(stat.ctimeNs / 1_000_000n) >= this.#startedAt) return;
    if (stat.isFile() && isOpenSomewhere(`${stat.dev}:${stat.ino}`)) return;
    const removal = new TreeRemoval(this.#context);
    await removal.remove(entry.path);
    if (removal.failures.length === 0) this.removed++;
    this.#context.options.log.info('removed what a former process left', { name: entry.name });
  }
}

/** Is a process of this user still writing it? Only asked for a leftover, so it may cost something. */
function isOpenSomewhere(identity: string): boolean {
  return fs.readdirSync('/proc').some((pid) => /^\d+$/.test(pid) && hasOpen(pid, identity));
}

function hasOpen(pid: string, identity: string): boolean {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const stat = fs.statSync(`/proc/${pid}/fd/${fd}`, { bigint: true, throwIfNoEntry: false });
      return stat !== undefined && `${stat.dev}:${stat.ino}` === identity;
    });
  } catch {
    // Another user's process, or one that has just ended.
    return false;
  }
}
