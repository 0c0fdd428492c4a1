/** Operations of libfuse 2 on names and folders. Arguments are in the order of fuse-native's `_op_…` methods. */
import type { Done } from './fuse-native-package.js';
import { kindWords } from './native-structs.js';
import type { PathContext } from './path-context.js';

export const NAME_OPERATIONS = {
  mknod(context: PathContext, done: Done, path: string, mode: number): void {
    context.make(done, path, (parent, name) => context.fs.mknod(parent, name, mode, context.ctx));
  },

  mkdir(context: PathContext, done: Done, path: string, mode: number): void {
    context.make(done, path, (parent, name) => context.fs.mkdir(parent, name, mode, context.ctx));
  },

  symlink(context: PathContext, done: Done, target: string, path: string): void {
    context.make(done, path, (parent, name) =>
      context.fs.symlink(parent, name, target, context.ctx),
    );
  },

  link(context: PathContext, done: Done, from: string, to: string): void {
    context.answer(done, () =>
      context.onNode(from, (node) =>
        context.onParent(to, async (parent, name) =>
          context.forget(await context.fs.link(node, parent, name, context.ctx)),
        ),
      ),
    );
  },

  unlink(context: PathContext, done: Done, path: string): void {
    context.answer(done, () =>
      context.onParent(path, (parent, name) => context.fs.unlink(parent, name, context.ctx)),
    );
  },

  rmdir(context: PathContext, done: Done, path: string): void {
    context.answer(done, () =>
      context.onParent(path, (parent, name) => context.fs.rmdir(parent, name, context.ctx)),
    );
  },

  rename(context: PathContext, done: Done, from: string, to: string): void {
    context.answer(done, () =>
      context.onParent(from, (parent, name) =>
        context.onParent(to, (newParent, newName) =>
          context.fs.rename(parent, name, newParent, newName, 0, context.ctx),
        ),
      ),
    );
  },

  /** fuse-native asks for all names at once, so the listing needs no handle in between. */
  readdir(context: PathContext, done: Done, path: string): void {
    context.answerWith(
      done,
      () => context.onNode(path, (node) => listAll(context, node)),
      ({ names, types }) => [names, types.map(kindWords)],
    );
  },
};

interface Listing {
  readonly names: string[];
  readonly types: number[];
}

async function listAll({ fs, ctx }: PathContext, nodeId: number): Promise<Listing> {
  const names: string[] = [];
  const types: number[] = [];
  const { fh } = await fs.opendir(nodeId, ctx);
  let offset = 0;
  try {
    for (let before = -1; names.length > before;) {
      before = names.length;
      const add = (entry: { name: string; type: number; offset: number }): boolean => {
        names.push(entry.name);
        types.push(entry.type);
        offset = entry.offset;
        return true;
      };
      await fs.readdir(nodeId, fh, offset, add, ctx);
    }
  } finally {
    fs.releasedir(nodeId, fh);
  }
  return { names, types };
}
