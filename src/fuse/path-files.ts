/** Operations of libfuse 2 on open files. Arguments are in the order of fuse-native's `_op_…` methods. */
import { FsError } from '../vfs/filesystem.js';
import type { Done } from './fuse-native-package.js';
import type { OpenHandle } from './handle-table.js';
import { join, type PathContext } from './path-context.js';

const O_RDWR = 2;

export const FILE_OPERATIONS = {
  open(context: PathContext, done: Done, path: string, flags: number): void {
    context.answerWith(
      done,
      () => openFile(context, path, flags),
      (handle) => [context.handles.add(handle)],
    );
  },

  /** The flags of the open(2) are not passed on; what the handle may not do the kernel refuses itself. */
  create(context: PathContext, done: Done, path: string, mode: number): void {
    const work = () =>
      context.onParent(path, async (parent, name) => {
        const answer = await context.fs.create(parent, name, mode, O_RDWR, context.ctx);
        return { nodeId: answer.entry.nodeId, fh: answer.fh };
      });
    context.answerWith(done, work, (handle) => [context.handles.add(handle)]);
  },

  read(
    context: PathContext,
    done: Done,
    _path: string,
    handle: number,
    buffer: Buffer,
    length: number,
    low: number,
    high: number,
  ): void {
    context.answerBytes(withCount(done), buffer, async () => {
      const { nodeId, fh } = context.handles.get(handle);
      const pieces = await context.fs.read(nodeId, fh, join(low, high), length, context.ctx);
      let filled = 0;
      for (const piece of pieces) {
        buffer.set(piece, filled);
        filled += piece.length;
      }
      context.fs.releaseRead?.(pieces);
      return filled;
    });
  },

  write(
    context: PathContext,
    done: Done,
    _path: string,
    handle: number,
    buffer: Buffer,
    length: number,
    low: number,
    high: number,
  ): void {
    context.answerBytes(withCount(done), buffer, () => {
      const { nodeId, fh } = context.handles.get(handle);
      // The memory is libfuse's and stays until the answer.
      return context.fs.write(nodeId, fh, join(low, high), buffer.subarray(0, length), context.ctx);
    });
  },

  flush(context: PathContext, done: Done, _path: string, handle: number): void {
    context.answer(done, () => {
      const { nodeId, fh } = context.handles.get(handle);
      return context.fs.flush(nodeId, fh, context.ctx);
    });
  },

  fsync(context: PathContext, done: Done, _path: string, dataOnly: number, handle: number): void {
    context.answer(done, () => {
      const { nodeId, fh } = context.handles.get(handle);
      return context.fs.fsync(nodeId, fh, dataOnly !== 0, context.ctx);
    });
  },

  release(context: PathContext, done: Done, _path: string, handle: number): void {
    context.answer(done, () => context.release(context.handles.remove(handle)));
  },
};

/** The handle keeps one reference on its node. */
function openFile(context: PathContext, path: string, flags: number): Promise<OpenHandle> {
  const { fs, ctx } = context;
  return context.onParent(path, async (parent, name) => {
    const entry = await fs.lookup(parent, name, ctx);
    if (entry.nodeId === 0) throw new FsError('ENOENT');
    try {
      const { fh } = await fs.open(entry.nodeId, flags, ctx);
      return { nodeId: entry.nodeId, fh };
    } catch (error) {
      context.forget(entry);
      throw error;
    }
  });
}

/** For read and write the native side looks for the memory behind another value, which it ignores. */
function withCount(done: Done): Done {
  return (result, memory) => done(result, 0, memory);
}
