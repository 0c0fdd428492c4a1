import type { Context } from './context.js';
import { install } from './install.js';
import type { Place } from './place.js';
import { TreeCopy, TreeRemoval, type Failure } from './tree.js';

export interface StagedCopy {
  readonly context: Context;
  readonly from: Place;
  readonly to: Place;
  readonly overwrite: boolean;
  readonly deep: boolean;
  readonly durable: boolean;
  /** Throws what stands against `to` being made or replaced. Called when that is to happen, in the same turn of the loop. */
  readonly check: () => void;
}

/** Copies next to the destination, then puts the whole in its place. Gives the members that could not be copied. */
export async function stageCopy(copy: StagedCopy): Promise<Failure[]> {
  const { context, from, to, overwrite, deep, durable, check } = copy;
  const name = context.tempNames.take();
  const staged = to.sibling(name);
  const work = new TreeCopy(context, durable);
  try {
    await work.copy(from.path, staged, deep);
    for (let busy = context.nameLocks.inUse(to); busy; busy = context.nameLocks.inUse(to)) {
      await busy;
    }
    to.refresh();
    check();
    await install({ context, from: staged, kind: from.kind, to, overwrite });
  } finally {
    // Nothing is left there when it went well.
    await new TreeRemoval(context).remove(staged);
    context.tempNames.release(name);
  }
  return work.failures;
}
