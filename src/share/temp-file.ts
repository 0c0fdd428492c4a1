/**
 * New content on its way: a file next to its place, which takes the place by one rename when it is whole. Whoever looks sees the
 * old file or the new one, and a failure leaves nothing behind.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import type { Context } from './context.js';
import { errnoCode, ShareError } from './errors.js';
import type { FileState } from './file-state.js';
import { STORE_NAME, type FsPath } from './fs-path.js';
import { setTimes, settableMode, type StoredMetadata } from './metadata.js';
import { mayHaveAttributes } from './member-state.js';
import type { Place } from './place.js';
import { forgetStored } from './property-store.js';

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

  /** `content`: of a file that has it at once; to others it comes later. Refreshes `place`, unless it is missing. */
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
    if (mayHaveAttributes(stat)) this.#context.deadProperties.inherit(place.path, this.path);
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
   * Takes the place, whose name is free (`NameLocks`) and, unless it is missing, was looked at in this turn of the loop. False: it was
   * missing and is no longer, since another program made something there a moment ago; all checks are to be made again. Refreshes `place`.
   */
  async commit(place: Place): Promise<boolean> {
    if (place.kind === 'missing') return this.#takeFree(place);
    if (this.#replacesAtOnce(place)) {
      place.takeSibling({ name: this.#name, fd: this.fd });
      this.#open = false;
      this.#present = false;
    } else {
      await this.#context.nameLocks.hold(place, () => rename(this.path, place.path));
      this.#present = false;
      place.stat = undefined;
    }
    this.discard();
    if (!place.stat) place.refresh();
    return true;
  }

  /** To write out the new content and to free the old one doesn't take longer than a trip through the thread pool. */
  #replacesAtOnce({ stat }: Place): boolean {
    return this.#size > 0 && this.#size <= QUICK_BYTES && stat!.size <= QUICK_BYTES;
  }

  #takeFree(place: Place): boolean {
    const isTaken = this.#renameIfFree(place) ?? this.#link(place);
    if (isTaken) this.discard();
    if (!place.stat) place.refresh();
    // Not tried again, or a file system that contradicts itself would be asked for ever.
    if (!isTaken && !place.stat) throw new ShareError(409, 'what was there a moment ago is gone');
    return isTaken;
  }

  /** Undefined: the file system has no such rename. */
  #renameIfFree(place: Place): boolean | undefined {
    try {
      const hasStore = place.takeSiblingIfFree({ name: this.#name, fd: this.fd }, STORE_NAME);
      if (hasStore === undefined) return undefined;
      this.#open = false;
      this.#present = false;
      if (hasStore) forgetStored(place.path);
      return true;
    } catch (error) {
      if (errnoCode(error) === 'EEXIST') return false;
      throw error;
    }
  }

  /** link(2), too, fails where rename(2) would replace what is there. */
  #link(place: Place): boolean {
    try {
      fs.linkSync(this.path, place.path);
    } catch (error) {
      const code = errnoCode(error);
      if (code === 'EEXIST') return false;
      // A file system without hard links.
      if (code !== 'EPERM' && code !== 'EOPNOTSUPP' && code !== 'EMLINK') throw error;
      if (place.refresh()) return false;
      fs.renameSync(this.path, place.path);
      this.#present = false;
    }
    forgetStored(place.path);
    return true;
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
