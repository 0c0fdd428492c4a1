import type { Logger } from '../log.js';
import { encodeName } from '../names.js';
import { ERRNO } from '../vfs/errno-names.js';
import {
  FsError,
  type AttributeChange,
  type AttributesAnswer,
  type Attributes,
  type Entry,
  type FileSystem,
  type RequestContext,
} from '../vfs/filesystem.js';
import type { Done } from './fuse-native-package.js';
import { HandleTable, type OpenHandle } from './handle-table.js';
import { statvfsWords, statWords, timeFromMilliseconds } from './native-structs.js';
import { PathResolver } from './path-resolver.js';

/** libfuse passes -1 for "leave it". */
const UNCHANGED = 0xffff_ffff;
const O_RDWR = 2;

/**
 * The operations of libfuse 2's high-level interface, on paths, over a FileSystem on node ids. Names and order of arguments are the
 * ones of the `_op_…` methods of fuse-native, which are replaced by these: its own read past the end of buffers (getxattr, listxattr)
 * and drop the handle (fgetattr).
 */
export class PathOperations {
  readonly #fs: FileSystem;
  readonly #log: Logger;
  readonly #paths: PathResolver;
  readonly #handles = new HandleTable();
  /** fuse-native does not tell who asks, nor of interrupts. */
  readonly #ctx: RequestContext;

  constructor(fs: FileSystem, log: Logger, signal: AbortSignal) {
    this.#fs = fs;
    this.#log = log;
    this.#paths = new PathResolver(fs);
    this.#ctx = {
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      pid: process.pid,
      signal,
    };
  }

  getattr(done: Done, path: string): void {
    this.#answerStat(done, () => this.#onNode(path, (node) => this.#getattr(node, undefined)));
  }

  fgetattr(done: Done, path: string, handle: number): void {
    this.#answerStat(done, () => {
      const open = this.#handles.find(handle);
      if (open !== undefined) return this.#getattr(open.nodeId, open.fh);
      return this.#onNode(path, (node) => this.#getattr(node, undefined));
    });
  }

  access(done: Done, path: string, mask: number): void {
    this.#answer(done, () => this.#onNode(path, (node) => this.#fs.access(node, mask, this.#ctx)));
  }

  statfs(done: Done, path: string): void {
    const work = () => this.#onNode(path, (node) => this.#fs.statfs(node, this.#ctx));
    void this.#run(work).then(
      (answer) => done(0, statvfsWords(answer)),
      (error: unknown) => done(this.#errnoOf(error)),
    );
  }

  chmod(done: Done, path: string, mode: number): void {
    this.#change(done, path, { mode: mode & 0o7777 });
  }

  chown(done: Done, path: string, uid: number, gid: number): void {
    this.#change(done, path, {
      ...(uid === UNCHANGED ? {} : { uid }),
      ...(gid === UNCHANGED ? {} : { gid }),
    });
  }

  truncate(done: Done, path: string, low: number, high: number): void {
    this.#change(done, path, { size: join(low, high) });
  }

  ftruncate(done: Done, path: string, handle: number, low: number, high: number): void {
    const open = this.#handles.find(handle);
    const change = { size: join(low, high) };
    if (open === undefined) this.#change(done, path, change);
    else this.#answer(done, () => this.#fs.setattr(open.nodeId, change, open.fh, this.#ctx));
  }

  /** The native side passes the access time twice; see doc/FUSE-NATIVE.md for why it is set as both. */
  utimens(done: Done, path: string, atimeLow: number, atimeHigh: number): void {
    const time = timeFromMilliseconds(join(atimeLow, atimeHigh));
    this.#change(done, path, { atime: time, mtime: time });
  }

  readlink(done: Done, path: string): void {
    const work = () => this.#onNode(path, (node) => this.#fs.readlink(node, this.#ctx));
    void this.#run(work).then(
      (target) => done(0, target),
      (error: unknown) => done(this.#errnoOf(error)),
    );
  }

  mknod(done: Done, path: string, mode: number): void {
    this.#make(done, path, (parent, name) => this.#fs.mknod(parent, name, mode, this.#ctx));
  }

  mkdir(done: Done, path: string, mode: number): void {
    this.#make(done, path, (parent, name) => this.#fs.mkdir(parent, name, mode, this.#ctx));
  }

  symlink(done: Done, target: string, path: string): void {
    this.#make(done, path, (parent, name) => this.#fs.symlink(parent, name, target, this.#ctx));
  }

  link(done: Done, from: string, to: string): void {
    this.#answer(done, () =>
      this.#onNode(from, (node) =>
        this.#paths.withParent(to, this.#ctx, async (parent, name) =>
          this.#forget(await this.#fs.link(node, parent, name, this.#ctx)),
        ),
      ),
    );
  }

  unlink(done: Done, path: string): void {
    this.#answer(done, () =>
      this.#paths.withParent(path, this.#ctx, (parent, name) =>
        this.#fs.unlink(parent, name, this.#ctx),
      ),
    );
  }

  rmdir(done: Done, path: string): void {
    this.#answer(done, () =>
      this.#paths.withParent(path, this.#ctx, (parent, name) =>
        this.#fs.rmdir(parent, name, this.#ctx),
      ),
    );
  }

  rename(done: Done, from: string, to: string): void {
    this.#answer(done, () =>
      this.#paths.withParent(from, this.#ctx, (parent, name) =>
        this.#paths.withParent(to, this.#ctx, (newParent, newName) =>
          this.#fs.rename(parent, name, newParent, newName, 0, this.#ctx),
        ),
      ),
    );
  }

  open(done: Done, path: string, flags: number): void {
    this.#open(done, () =>
      this.#holding(path, async (nodeId) => {
        const { fh } = await this.#fs.open(nodeId, flags, this.#ctx);
        return { nodeId, fh };
      }),
    );
  }

  /** The flags of the open(2) are not passed on; what the handle may not do the kernel refuses itself. */
  create(done: Done, path: string, mode: number): void {
    this.#open(done, () =>
      this.#paths.withParent(path, this.#ctx, async (parent, name) => {
        const answer = await this.#fs.create(parent, name, mode, O_RDWR, this.#ctx);
        return { nodeId: answer.entry.nodeId, fh: answer.fh };
      }),
    );
  }

  read(
    done: Done,
    _path: string,
    handle: number,
    buffer: Buffer,
    length: number,
    low: number,
    high: number,
  ): void {
    const work = async () => {
      const { nodeId, fh } = this.#handles.get(handle);
      const pieces = await this.#fs.read(nodeId, fh, join(low, high), length, this.#ctx);
      let filled = 0;
      for (const piece of pieces) {
        buffer.set(piece, filled);
        filled += piece.length;
      }
      return filled;
    };
    this.#answerBytes((bytes, memory) => done(bytes, 0, memory), buffer, work);
  }

  write(
    done: Done,
    _path: string,
    handle: number,
    buffer: Buffer,
    length: number,
    low: number,
    high: number,
  ): void {
    this.#answerBytes(
      (bytes, memory) => done(bytes, 0, memory),
      buffer,
      () => {
        const { nodeId, fh } = this.#handles.get(handle);
        // The memory is libfuse's and stays until the answer.
        return this.#fs.write(nodeId, fh, join(low, high), buffer.subarray(0, length), this.#ctx);
      },
    );
  }

  flush(done: Done, _path: string, handle: number): void {
    this.#answer(done, () => {
      const { nodeId, fh } = this.#handles.get(handle);
      return this.#fs.flush(nodeId, fh, this.#ctx);
    });
  }

  fsync(done: Done, _path: string, dataOnly: number, handle: number): void {
    this.#answer(done, () => {
      const { nodeId, fh } = this.#handles.get(handle);
      return this.#fs.fsync(nodeId, fh, dataOnly !== 0, this.#ctx);
    });
  }

  release(done: Done, _path: string, handle: number): void {
    this.#answer(done, () => this.#release(this.#handles.remove(handle)));
  }

  /** fuse-native asks for all names at once; the listing needs no handle in between. */
  readdir(done: Done, path: string): void {
    const work = () => this.#onNode(path, (node) => this.#names(node));
    void this.#run(work).then(
      (names) => done(0, names),
      (error: unknown) => done(this.#errnoOf(error)),
    );
  }

  setxattr(
    done: Done,
    path: string,
    name: string,
    value: Buffer,
    _position: number,
    flags: number,
  ): void {
    const work = async () => {
      await this.#onNode(path, (node) =>
        this.#fs.setxattr(node, name, Buffer.from(value), flags, this.#ctx),
      );
      return 0;
    };
    this.#answerBytes(done, value, work);
  }

  getxattr(done: Done, path: string, name: string, room: Buffer): void {
    this.#answerBytes(done, room, async () =>
      fill(room, await this.#onNode(path, (node) => this.#fs.getxattr(node, name, this.#ctx))),
    );
  }

  listxattr(done: Done, path: string, room: Buffer): void {
    this.#answerBytes(done, room, async () => {
      const names = await this.#onNode(path, (node) => this.#fs.listxattr(node, this.#ctx));
      return fill(room, encodeName(names.map((name) => `${name}\0`).join('')));
    });
  }

  removexattr(done: Done, path: string, name: string): void {
    this.#answer(done, () =>
      this.#onNode(path, (node) => this.#fs.removexattr(node, name, this.#ctx)),
    );
  }

  /** After the unmount: releases what the kernel left open. */
  async releaseAll(): Promise<void> {
    await Promise.allSettled(this.#handles.clear().map((open) => this.#release(open)));
  }

  async #release(open: OpenHandle): Promise<void> {
    try {
      await this.#fs.release(open.nodeId, open.fh);
    } finally {
      this.#fs.forget(open.nodeId, 1);
    }
  }

  async #names(nodeId: number): Promise<string[]> {
    const names: string[] = [];
    const { fh } = await this.#fs.opendir(nodeId, this.#ctx);
    try {
      let offset = 0;
      let before: number;
      do {
        before = names.length;
        const add = (entry: { readonly name: string; readonly offset: number }) => {
          names.push(entry.name);
          offset = entry.offset;
          return true;
        };
        await this.#fs.readdir(nodeId, fh, offset, add, this.#ctx);
      } while (names.length > before);
    } finally {
      this.#fs.releasedir(nodeId, fh);
    }
    return names;
  }

  #onNode<T>(path: string, work: (nodeId: number) => T | Promise<T>): Promise<T> {
    return this.#paths.withNode(path, this.#ctx, work);
  }

  /** As #onNode, and when `work` succeeds one reference on the node stays. */
  #holding<T>(path: string, work: (nodeId: number) => Promise<T>): Promise<T> {
    return this.#paths.withParent(path, this.#ctx, async (parent, name) => {
      const entry = await this.#fs.lookup(parent, name, this.#ctx);
      if (entry.nodeId === 0) throw new FsError('ENOENT');
      try {
        return await work(entry.nodeId);
      } catch (error) {
        this.#forget(entry);
        throw error;
      }
    });
  }

  async #getattr(nodeId: number, fh: number | undefined): Promise<Attributes> {
    const answer: AttributesAnswer = await this.#fs.getattr(nodeId, fh, this.#ctx);
    return answer.attributes;
  }

  #change(done: Done, path: string, change: AttributeChange): void {
    this.#answer(done, () =>
      this.#onNode(path, (node) => this.#fs.setattr(node, change, undefined, this.#ctx)),
    );
  }

  #make(
    done: Done,
    path: string,
    make: (parent: number, name: string) => Entry | Promise<Entry>,
  ): void {
    this.#answer(done, () =>
      this.#paths.withParent(path, this.#ctx, async (parent, name) =>
        this.#forget(await make(parent, name)),
      ),
    );
  }

  #forget(entry: Entry): void {
    if (entry.nodeId !== 0) this.#fs.forget(entry.nodeId, 1);
  }

  #open(done: Done, open: () => Promise<OpenHandle>): void {
    void this.#run(open).then(
      (handle) => done(0, this.#handles.add(handle)),
      (error: unknown) => done(this.#errnoOf(error)),
    );
  }

  #answer(done: Done, work: () => unknown): void {
    void this.#run(work).then(
      () => done(0),
      (error: unknown) => done(this.#errnoOf(error)),
    );
  }

  #answerStat(done: Done, work: () => Promise<Attributes>): void {
    void this.#run(work).then(
      (attributes) => done(0, statWords(attributes)),
      (error: unknown) => done(this.#errnoOf(error)),
    );
  }

  /** `memory` belongs to libfuse; handing its ArrayBuffer back detaches it from the Buffer. */
  #answerBytes(done: Done, memory: Buffer, work: () => number | Promise<number>): void {
    void this.#run(work).then(
      (bytes) => done(bytes, memory.buffer),
      (error: unknown) => done(this.#errnoOf(error), memory.buffer),
    );
  }

  async #run<T>(work: () => T | Promise<T>): Promise<T> {
    return work();
  }

  #errnoOf(error: unknown): number {
    if (error instanceof FsError) return -ERRNO[error.errno];
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error('file system failed in an unforeseen way', { error: text });
    return -ERRNO.EIO;
  }
}

/** Puts `value` into `room`; without room the answer is the size alone. */
function fill(room: Buffer, value: Uint8Array): number {
  if (room.length === 0) return value.length;
  if (value.length > room.length) throw new FsError('ERANGE');
  room.set(value);
  return value.length;
}

function join(low: number, high: number): number {
  return high * 0x1_0000_0000 + low;
}
