/**
 * New content on its way: a file next to its place, which takes the place by one rename when it is whole. Whoever looks sees the
 * old file or the new one, and a failure leaves nothing behind.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import type { Context } from './context.js';
import { preconditionFailed } from './conditional.js';
import { errnoCode } from './errors.js';
import type { FileState } from './file-state.js';
import { STORE_NAME, type FsPath } from './fs-path.js';
import { setTimes, settableMode, type StoredMetadata } from './metadata.js';
import type { Place } from './place.js';
import { forgetStored, forgetStoredOf } from './property-store.js';

const { O_NOFOLLOW } = fs.constants;
/** Of content, new and old. */
const QUICK_BYTES = 128 * 1024;
const NOTHING = new Uint8Array(0);

const fsync = promisify(fs.fsync);
const rename = promisify(fs.rename);

export class TempFile {
  readonly fd: number;
  readonly #place: Place;
  readonly #name: string;
  readonly #context: Context;
  /** Of the content that it was made with. */
  readonly #size: number;
  /** As it was made, once that is known. */
  #stat: FileState | undefined;
  #present = true;
  #open = true;

  /** `content`: of a file that has it at once; to others it comes later. Refreshes `place`. */
  constructor(context: Context, place: Place, content: Uint8Array = NOTHING) {
    this.#context = context;
    this.#place = place;
    this.#size = content.length;
    this.#name = context.tempNames.take();
    try {
      ({ fd: this.fd, stat: this.#stat } = place.createSibling(this.#name, content));
    } catch (error) {
      context.tempNames.release(this.#name);
      throw error;
    }
  }

  get path(): FsPath {
    return this.#place.sibling(this.#name);
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.fd, size);
  }

  /** What the file keeps of the one whose place it takes: permissions, owner where that is possible, dead properties. */
  inherit(place: Place): void {
    const { stat } = place;
    if (!stat?.isFile()) return;
    const own = (this.#stat ??= fs.fstatSync(this.fd, { bigint: true }));
    if (own.uid !== stat.uid || own.gid !== stat.gid) this.#takeOwner(place);
    if ((stat.mode & 0o777n) !== (own.mode & 0o777n)) {
      fs.fchmodSync(this.fd, Number(stat.mode & 0o777n));
    }
    this.#context.deadProperties.inherit(place.path, this.path);
  }

  #takeOwner({ stat }: Place): void {
    try {
      if (stat) fs.fchownSync(this.fd, Number(stat.uid), Number(stat.gid));
    } catch (error) {
      // Only root may give files away; the content is stored all the same, as by any editor that renames.
      if (errnoCode(error) !== 'EPERM') throw error;
    }
  }

  setMetadata({ mode, ...times }: StoredMetadata): void {
    if (mode !== undefined) fs.fchmodSync(this.fd, settableMode(mode));
    if (times.atime || times.mtime) {
      const stat = fs.fstatSync(this.fd, { bigint: true });
      setTimes(this.path, stat, times, this.#context.options.attributes);
    }
  }

  async sync(): Promise<void> {
    await fsync(this.fd);
  }

  /**
   * Takes the place, whose name is free (`NameLocks`) and was checked in this turn of the loop. `exclusively`: only if nothing is
   * there, else ShareError 412. Refreshes `place`.
   */
  async commit(place: Place, exclusively: boolean): Promise<void> {
    const isNew = place.kind === 'missing';
    if (exclusively) {
      this.#link(place);
      if (isNew) forgetStoredOf(place);
    } else if (isNew || this.#replacesAtOnce(place)) {
      this.#take(place, isNew);
      return;
    } else {
      await this.#context.nameLocks.hold(place, () => rename(this.path, place.path));
      this.#present = false;
    }
    this.discard();
    place.refresh();
  }

  #take(place: Place, isNew: boolean): void {
    this.#open = false;
    const sibling = { name: this.#name, fd: this.fd };
    const hasStore = place.takeSibling(sibling, isNew ? STORE_NAME : '');
    this.#present = false;
    this.discard();
    if (hasStore) forgetStored(place.path);
  }

  /** To write out the new content and to free the old one doesn't take longer than a trip through the thread pool. */
  #replacesAtOnce({ stat }: Place): boolean {
    return this.#size > 0 && this.#size <= QUICK_BYTES && stat!.size <= QUICK_BYTES;
  }

  /** link(2) fails where rename(2) would replace what another program made a moment ago. */
  #link(place: Place): void {
    try {
      fs.linkSync(this.path, place.path);
    } catch (error) {
      const code = errnoCode(error);
      if (code === 'EEXIST') throw preconditionFailed();
      // A file system without hard links. `place` was found empty in this very turn.
      if (code !== 'EPERM' && code !== 'EOPNOTSUPP' && code !== 'EMLINK') throw error;
      fs.renameSync(this.path, place.path);
      this.#present = false;
    }
  }

  /** Idempotent; after `commit` it only tidies up. REQUIRES: no write is pending. */
  discard(): void {
    if (this.#open) fs.closeSync(this.fd);
    this.#open = false;
    if (this.#present) this.#unlink();
    this.#present = false;
    this.#context.tempNames.release(this.#name);
  }

  #unlink(): void {
    try {
      fs.unlinkSync(this.path);
    } catch (error) {
      // Gone with its folder.
      if (errnoCode(error) !== 'ENOENT') throw error;
    }
  }
}

/** Makes content and metadata of a file or folder durable; of a link there is nothing but its name. */
export async function syncFile(place: Place): Promise<void> {
  if (place.refresh()?.isFile()) {
    const { fd } = place.openFile();
    try {
      await fsync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } else if (place.kind === 'collection') {
    await syncPath(place.path);
  }
}

async function syncPath(path: FsPath): Promise<void> {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | O_NOFOLLOW);
  try {
    await fsync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes a change of names in the folder durable. */
export async function syncFolder(place: Place): Promise<void> {
  await syncPath(place.sibling(''));
}
