/** Where the journal of a share is, which process has it, and which share it is of. */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { NativeBinding } from '../../native/binding.js';
import { Journal } from './journal.js';
import { syncFolder } from './sync-folder.js';

/** In the staging folder. The number grows with the form of what is in it. */
const JOURNALS_FOLDER = 'journal-1';
const IDENTITY_FILE = 'identity';

export interface JournalRequest {
  /** A folder of one's own. */
  readonly stagingDir: string;
  /** The address of the share. */
  readonly source: string;
  /** False: only what a former mount left is wanted. */
  readonly create: boolean;
  readonly binding: NativeBinding | Error;
  readonly log: Logger;
}

export class JournalFolder {
  readonly journal: Journal;
  readonly #lock: FileHandle;
  #identity: string | undefined;

  private constructor(journal: Journal, lock: FileHandle, identity: string | undefined) {
    this.journal = journal;
    this.#lock = lock;
    this.#identity = identity;
  }

  /** Undefined: none is needed. */
  static async open(request: JournalRequest): Promise<JournalFolder | undefined> {
    const { source, create, binding, log } = request;
    const all = join(request.stagingDir, JOURNALS_FOLDER);
    const folder = join(all, createHash('sha256').update(source).digest('hex').slice(0, 32));
    if (!create && (await lstat(folder).catch(() => undefined)) === undefined) return undefined;
    if (binding instanceof Error) {
      if (!create) return undefined;
      throw new UsageError(`-o writeback needs the native part: ${binding.message}`);
    }
    await takeFolder(all);
    await takeFolder(folder);
    const lock = await open(join(folder, 'lock'), 'a', 0o600);
    try {
      if (!binding.lockFile(lock.fd)) {
        if (create) throw new UsageError(inUse(source, folder));
        log.warn('what is pending for this share is brought by another mount', { source });
        await lock.close();
        return undefined;
      }
      const journal = await Journal.open(folder, log);
      const identity = await readIdentity(folder);
      return new JournalFolder(journal, lock, identity);
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  /**
   * Is this the share that the contents are for? A journal that is of none yet is of this one from now on. Where it is of another,
   * nothing of it may go there.
   */
  async isOf(identity: string): Promise<boolean> {
    if (this.#identity === undefined) {
      const { folder } = this.journal;
      const draft = join(folder, `${IDENTITY_FILE}.new`);
      const file = await open(draft, 'w', 0o600);
      await file.writeFile(identity);
      await file.sync();
      await file.close();
      await rename(draft, join(folder, IDENTITY_FILE));
      await syncFolder(folder);
      this.#identity = identity;
    }
    return this.#identity === identity;
  }

  /** What to do where it is of another share. */
  get remedy(): string {
    const file = join(this.journal.folder, IDENTITY_FILE);
    return `give back the share that it was, or, to send it to this one, unmount and remove ${file}`;
  }

  async close(): Promise<void> {
    await this.journal.close();
    await this.#lock.close();
  }
}

async function readIdentity(folder: string): Promise<string | undefined> {
  return readFile(join(folder, IDENTITY_FILE), 'utf8').catch(() => undefined);
}

/** What is in it goes to the peer as the user's own. */
async function takeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new UsageError(`${folder} belongs to somebody else; name another with -o staging_dir=`);
  }
  await chmod(folder, 0o700);
}

function inUse(source: string, folder: string): string {
  return (
    `${source} is mounted with -o writeback already, and ${folder} is in use; ` +
    'unmount that one, or name another folder with -o staging_dir='
  );
}
