import type { Logger } from '../log.js';
import type { FileSystem } from '../vfs/filesystem.js';
import type { Done } from './fuse-native-package.js';
import { ATTRIBUTE_OPERATIONS } from './path-attributes.js';
import { PathContext } from './path-context.js';
import { FILE_OPERATIONS } from './path-files.js';
import { NAME_OPERATIONS } from './path-names.js';

/** On a path: the callback that answers, then the arguments of libfuse. */
type PathOperation = (done: Done, ...args: unknown[]) => void;

const OPERATIONS = { ...NAME_OPERATIONS, ...ATTRIBUTE_OPERATIONS, ...FILE_OPERATIONS };

/**
 * The operations of libfuse 2's high-level interface, on paths, over a FileSystem on node ids. They take the place of fuse-native's
 * own `_op_…` methods, which answer with lengths beyond the buffer (getxattr, listxattr) and drop the handle (fgetattr).
 */
export class PathOperations {
  readonly #context: PathContext;
  /** Name as in struct fuse_operations → operation. */
  readonly table: Readonly<Record<string, PathOperation>>;

  constructor(fs: FileSystem, log: Logger, signal: AbortSignal) {
    const context = new PathContext(fs, log, signal);
    this.#context = context;
    this.table = Object.fromEntries(
      Object.entries(OPERATIONS).map(([name, run]) => {
        const operation = run as (context: PathContext, done: Done, ...args: unknown[]) => void;
        return [name, (done: Done, ...args: unknown[]) => operation(context, done, ...args)];
      }),
    );
  }

  /** After the unmount: releases what the kernel left open, and forgets all nodes. */
  async releaseAll(): Promise<void> {
    const open = this.#context.handles.clear();
    await Promise.allSettled(open.map((handle) => this.#context.release(handle)));
    this.#context.paths.forgetAll();
  }
}
