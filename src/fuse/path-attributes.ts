/** Operations of libfuse 2 on attributes. Arguments are in the order of fuse-native's `_op_…` methods. */
import { encodeName } from '../names.js';
import { FsError, type Attributes } from '../vfs/filesystem.js';
import type { Done } from './fuse-native-package.js';
import { statvfsWords, statWords, timeFromMilliseconds } from './native-structs.js';
import { join, type PathContext } from './path-context.js';

/** libfuse passes -1 for "leave it". */
const UNCHANGED = 0xffff_ffff;

export const ATTRIBUTE_OPERATIONS = {
  getattr(context: PathContext, done: Done, path: string): void {
    const work = () => context.onNode(path, (node) => stat(context, node, undefined));
    context.answerWith(done, work, encodeStat);
  },

  fgetattr(context: PathContext, done: Done, path: string, handle: number): void {
    const open = context.handles.find(handle);
    const work = () =>
      open === undefined
        ? context.onNode(path, (node) => stat(context, node, undefined))
        : stat(context, open.nodeId, open.fh);
    context.answerWith(done, work, encodeStat);
  },

  access(context: PathContext, done: Done, path: string, mask: number): void {
    context.answer(done, () =>
      context.onNode(path, (node) => context.fs.access(node, mask, context.ctx)),
    );
  },

  statfs(context: PathContext, done: Done, path: string): void {
    const work = () => context.onNode(path, (node) => context.fs.statfs(node, context.ctx));
    context.answerWith(done, work, (answer) => [statvfsWords(answer)]);
  },

  readlink(context: PathContext, done: Done, path: string): void {
    const work = () => context.onNode(path, (node) => context.fs.readlink(node, context.ctx));
    context.answerWith(done, work, (target) => [target]);
  },

  chmod(context: PathContext, done: Done, path: string, mode: number): void {
    context.change(done, path, { mode: mode & 0o7777 });
  },

  chown(context: PathContext, done: Done, path: string, uid: number, gid: number): void {
    context.change(done, path, {
      ...(uid === UNCHANGED ? {} : { uid }),
      ...(gid === UNCHANGED ? {} : { gid }),
    });
  },

  truncate(context: PathContext, done: Done, path: string, low: number, high: number): void {
    context.change(done, path, { size: join(low, high) });
  },

  ftruncate(
    context: PathContext,
    done: Done,
    path: string,
    handle: number,
    low: number,
    high: number,
  ): void {
    const open = context.handles.find(handle);
    const size = join(low, high);
    if (open === undefined) context.change(done, path, { size });
    else
      context.answer(done, () => context.fs.setattr(open.nodeId, { size }, open.fh, context.ctx));
  },

  /** The native side passes the access time twice; see doc/FUSE-NATIVE.md for why it is set as both. */
  utimens(
    context: PathContext,
    done: Done,
    path: string,
    atimeLow: number,
    atimeHigh: number,
  ): void {
    const time = timeFromMilliseconds(atimeLow, atimeHigh);
    context.change(done, path, { atime: time, mtime: time });
  },

  setxattr(
    context: PathContext,
    done: Done,
    path: string,
    name: string,
    value: Buffer,
    _position: number,
    flags: number,
  ): void {
    context.answerBytes(done, value, async () => {
      const copy = Buffer.from(value);
      await context.onNode(path, (node) =>
        context.fs.setxattr(node, name, copy, flags, context.ctx),
      );
      return 0;
    });
  },

  getxattr(context: PathContext, done: Done, path: string, name: string, room: Buffer): void {
    context.answerBytes(done, room, async () =>
      fill(
        room,
        await context.onNode(path, (node) => context.fs.getxattr(node, name, context.ctx)),
      ),
    );
  },

  listxattr(context: PathContext, done: Done, path: string, room: Buffer): void {
    context.answerBytes(done, room, async () => {
      const names = await context.onNode(path, (node) => context.fs.listxattr(node, context.ctx));
      return fill(room, encodeName(names.map((name) => `${name}\0`).join('')));
    });
  },

  removexattr(context: PathContext, done: Done, path: string, name: string): void {
    context.answer(done, () =>
      context.onNode(path, (node) => context.fs.removexattr(node, name, context.ctx)),
    );
  },
};

async function stat(
  { fs, ctx }: PathContext,
  nodeId: number,
  fh: number | undefined,
): Promise<Attributes> {
  const { attributes } = await fs.getattr(nodeId, fh, ctx);
  return attributes;
}

function encodeStat(attributes: Attributes): unknown[] {
  return [statWords(attributes)];
}

/** Puts `value` into `room`; without room the answer is the size alone. */
function fill(room: Buffer, value: Uint8Array): number {
  if (room.length === 0) return value.length;
  if (value.length > room.length) throw new FsError('ERANGE', 'extended attribute is larger');
  room.set(value);
  return value.length;
}
