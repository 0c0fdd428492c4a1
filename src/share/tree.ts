/** Whole trees: removed and copied without ever following a symbolic link, in slices that leave the event loop to others. */
import fs from 'node:fs';
import { promisify } from 'node:util';
import type { Context } from './context.js';
import { errnoCode, ShareError, statusOf } from './errors.js';
import { FolderReader } from './folder-reader.js';
import { at, ofFd, PIN, PIN_FOLDER, STORE_NAME, unlinkIfThere, type FsPath } from './fs-path.js';
import { LinkedCopies } from './linked-copies.js';
import { kindOf, openRegularFile } from './place.js';
import { forgetStored } from './property-store.js';
import { Slices } from '../slices.js';
import type { FileState } from './file-state.js';

/** A member that could not be done; the others were. */
export interface Failure {
  /** Names from the collection of the request down; empty: the resource itself. */
  readonly names: readonly string[];
  readonly status: number;
}

/** Passes over a folder that others fill while it is being emptied. */
const MAX_PASSES = 3;
const COPY_CHUNK_BYTES = 256 * 1024;

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
/** Fails for everything else: to open a FIFO may never return. */
const OPEN_FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

const copyFile = promisify(fs.copyFile);
const fsync = promisify(fs.fsync);
const unlink = promisify(fs.unlink);

/** To free the blocks of a long file takes long, and must not hold the event loop. Anything shorter isn't worth a thread. */
const LONG_FILE_BYTES = 16 * 1024 * 1024;

export async function removeFile(path: FsPath, stat: FileState): Promise<void> {
  if (stat.size < LONG_FILE_BYTES) fs.unlinkSync(path);
  else await unlink(path);
  forgetStored(path);
}

export class TreeRemoval {
  readonly failures: Failure[] = [];
  readonly #context: Context;
  readonly #slices = new Slices();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Removes what `path` names, and everything below when it is a folder. What fails is in `failures`. */
  async remove(path: FsPath, names: readonly string[] = []): Promise<void> {
    try {
      if (await this.#removeOne(path)) return;
      for (let pass = 1; ; pass++) {
        const failed = this.failures.length;
        await this.#empty(path, names);
        // A folder that keeps a member can't go; only the member is reported (RFC 4918 section 9.6.1).
        if (this.failures.length > failed) return;
        // Only now: a member that stays keeps its properties.
        await this.#removeStore(path);
        if (this.#removeFolder(path, pass < MAX_PASSES)) return;
      }
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return;
      this.#context.closing.throwIfAborted();
      this.failures.push({ names, status: statusOf(error) });
    }
  }

  async #removeStore(path: FsPath): Promise<void> {
    const fd = fs.openSync(path, PIN_FOLDER);
    try {
      await this.remove(at(fd, STORE_NAME));
    } finally {
      fs.closeSync(fd);
    }
  }

  /** False for a folder with members. */
  async #removeOne(path: FsPath): Promise<boolean> {
    const stat = fs.lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat?.isDirectory()) return this.#removeFolder(path, true);
    if (stat) await removeFile(path, stat);
    return true;
  }

  #removeFolder(path: FsPath, mayBeFull: boolean): boolean {
    try {
      fs.rmdirSync(path);
      return true;
    } catch (error) {
      if (mayBeFull && errnoCode(error) === 'ENOTEMPTY') return false;
      throw error;
    }
  }

  async #empty(path: FsPath, names: readonly string[]): Promise<void> {
    const folder = new FolderReader(path);
    try {
      for (let entry = folder.next(); entry; entry = folder.next()) {
        await this.remove(entry.path, [...names, entry.name]);
        const pause = this.#slices.pause();
        if (pause) {
          await pause;
          this.#context.closing.throwIfAborted();
        }
      }
    } finally {
      folder.close();
    }
  }
}

export class TreeCopy {
  readonly failures: Failure[] = [];
  readonly #context: Context;
  readonly #durable: boolean;
  /** Of a tree. */
  #linked: LinkedCopies | undefined;
  readonly #slices = new Slices();

  constructor(context: Context, durable: boolean) {
    this.#context = context;
    this.#durable = durable;
  }

  /** REQUIRES: nothing is at `to`. Failures of members are in `failures`, of the top itself are thrown. */
  async copy(
    from: FsPath,
    to: FsPath,
    deep: boolean,
    names: readonly string[] = [],
  ): Promise<void> {
    const pin = fs.openSync(from, PIN);
    try {
      const stat = fs.fstatSync(pin, { bigint: true });
      switch (kindOf(stat)) {
        case 'file':
          if (this.#linked?.link(stat, to)) break;
          await this.#file(from, pin, stat, to);
          this.#linked?.note(stat, names, to);
          break;
        case 'collection':
          await this.#folder(pin, stat, to, deep, names);
          break;
        case 'link':
          fs.symlinkSync(fs.readlinkSync(from, { encoding: 'buffer' }), to);
          break;
        default:
          throw new ShareError(403, 'neither file nor collection');
      }
    } finally {
      fs.closeSync(pin);
    }
  }

  async #file(from: FsPath, pin: number, stat: FileState, to: FsPath): Promise<void> {
    const { COPYFILE_EXCL, COPYFILE_FICLONE } = fs.constants;
    try {
      // copyFile copies set-user-ID too, and the copy is owned by who shares.
      const suid = (stat.mode & 0o6000n) !== 0n;
      await this.#context.contentLocks.copy(stat, () =>
        suid
          ? copyContent(pin, stat, to)
          : copyFile(ofFd(pin), to, COPYFILE_EXCL | COPYFILE_FICLONE),
      );
      this.#context.deadProperties.copy(from, to);
      if (this.#durable) await syncFileAt(to);
    } catch (error) {
      // Half a file is none.
      unlinkIfThere(to);
      forgetStored(to);
      throw error;
    }
  }

  async #folder(
    pin: number,
    stat: FileState,
    to: FsPath,
    deep: boolean,
    names: readonly string[],
  ): Promise<void> {
    fs.mkdirSync(to, 0o700);
    this.#linked ??= new LinkedCopies(to);
    if (deep) await this.#members(at(pin, ''), to, names);
    this.#context.deadProperties.copy(at(pin, ''), to);
    const fd = fs.openSync(to, OPEN_FOLDER);
    try {
      // Last, so that a folder which nobody may write could be filled.
      fs.fchmodSync(fd, Number(stat.mode & 0o1777n));
      if (this.#durable) await fsync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  async #members(from: FsPath, to: FsPath, names: readonly string[]): Promise<void> {
    const source = new FolderReader(from);
    try {
      const target = new FolderReader(to);
      try {
        for (let entry = source.next(); entry; entry = source.next()) {
          const { name, path } = entry;
          // Also what keeps a copy into a folder below itself (through links) from never ending.
          if (this.#context.tempNames.isActive(name)) continue;
          await this.#member(path, at(target.fd, name), [...names, name]);
          const pause = this.#slices.pause();
          if (pause) await pause;
        }
      } finally {
        target.close();
      }
    } finally {
      source.close();
    }
  }

  async #member(from: FsPath, to: FsPath, names: readonly string[]): Promise<void> {
    this.#context.closing.throwIfAborted();
    try {
      await this.copy(from, to, true, names);
    } catch (error) {
      this.#context.closing.throwIfAborted();
      // Gone meanwhile: not a member. Full: no use in going on.
      if (errnoCode(error) === 'ENOENT') return;
      if (statusOf(error) === 507) throw error;
      this.failures.push({ names, status: statusOf(error) });
    }
  }
}

async function copyContent(pin: number, stat: FileState, to: FsPath): Promise<void> {
  const source = await fs.promises.open(ofFd(pin), 'r');
  try {
    const target = await fs.promises.open(to, 'wx', Number(stat.mode & 0o777n));
    try {
      const stream = source.createReadStream({
        autoClose: false,
        highWaterMark: COPY_CHUNK_BYTES,
      });
      for await (const chunk of stream) await target.writeFile(chunk as Buffer);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function syncFileAt(path: FsPath): Promise<void> {
  const { fd } = openRegularFile(path);
  try {
    await fsync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
