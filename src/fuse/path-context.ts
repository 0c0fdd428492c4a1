import type { Logger } from '../log.js';
import { ERRNO } from '../vfs/errno-names.js';
import {
  FsError,
  type AttributeChange,
  type Entry,
  type FileSystem,
  type RequestContext,
} from '../vfs/filesystem.js';
import type { Done } from './fuse-native-package.js';
import { HandleTable, type OpenHandle } from './handle-table.js';
import { PathResolver } from './path-resolver.js';

type MaybePromise<T> = T | Promise<T>;

/** What the path operations share: the file system, paths, open handles, and how an outcome becomes an answer. */
export class PathContext {
  readonly fs: FileSystem;
  readonly paths: PathResolver;
  readonly handles = new HandleTable();
  /** fuse-native tells neither who asks nor of interrupts. */
  readonly ctx: RequestContext;
  readonly #log: Logger;

  constructor(fs: FileSystem, log: Logger, signal: AbortSignal) {
    this.fs = fs;
    this.#log = log;
    this.paths = new PathResolver(fs);
    this.ctx = {
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      pid: process.pid,
      signal,
    };
  }

  onNode<T>(path: string, work: (nodeId: number) => MaybePromise<T>): Promise<T> {
    return this.paths.withNode(path, this.ctx, work);
  }

  onParent<T>(path: string, work: (parent: number, name: string) => MaybePromise<T>): Promise<T> {
    return this.paths.withParent(path, this.ctx, work);
  }

  /** Makes a name; the reference that the entry counted is given back. */
  make(
    done: Done,
    path: string,
    make: (parent: number, name: string) => MaybePromise<Entry>,
  ): void {
    this.answer(done, () =>
      this.onParent(path, async (parent, name) => this.forget(await make(parent, name))),
    );
  }

  change(done: Done, path: string, change: AttributeChange): void {
    this.answer(done, () =>
      this.onNode(path, (node) => this.fs.setattr(node, change, undefined, this.ctx)),
    );
  }

  forget(entry: Entry): void {
    if (entry.nodeId !== 0) this.fs.forget(entry.nodeId, 1);
  }

  /** The answer is "done", or an errno. */
  answer(done: Done, work: () => unknown): void {
    this.answerWith(done, work, () => []);
  }

  /** As answer(), with the values that `encode` makes of the outcome. */
  answerWith<T>(done: Done, work: () => MaybePromise<T>, encode: (outcome: T) => unknown[]): void {
    const run = async (): Promise<unknown[]> => encode(await work());
    run().then(
      (values) => done(0, ...values),
      (error: unknown) => done(this.#errnoOf(error)),
    );
  }

  /** The answer is a count of bytes. `memory` is libfuse's; handing back its ArrayBuffer detaches it from the Buffer. */
  answerBytes(done: Done, memory: Buffer, work: () => MaybePromise<number>): void {
    const run = async (): Promise<number> => work();
    run().then(
      (bytes) => done(bytes, memory.buffer),
      (error: unknown) => done(this.#errnoOf(error), memory.buffer),
    );
  }

  async release(open: OpenHandle): Promise<void> {
    try {
      await this.fs.release(open.nodeId, open.fh);
    } finally {
      this.fs.forget(open.nodeId, 1);
    }
  }

  #errnoOf(error: unknown): number {
    if (error instanceof FsError) return -ERRNO[error.errno];
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error('file system failed in an unforeseen way', { error: text });
    return -ERRNO.EIO;
  }
}

/** The native side passes 64 bits as two words. */
export function join(low: number, high: number): number {
  return high * 0x1_0000_0000 + low;
}
