import fs from 'node:fs';
import type { Context } from './context.js';
import type { FsPath } from './fs-path.js';
import { changeInPlace, inUse, isLinked } from './in-place.js';
import { install } from './install.js';
import { openRegularFile, type Place } from './place.js';
import { StagedBody } from './staged-body.js';
import { syncFile } from './temp-file.js';
import { TreeCopy, TreeRemoval, type Failure } from './tree.js';

export interface StagedCopy {
  readonly context: Context;
  readonly from: Place;
  readonly to: Place;
  readonly overwrite: boolean;
  readonly deep: boolean;
  readonly durable: boolean;
  /** A file at the destination that has other names gets the content under all of them (RFC 5842 section 2.3). */
  readonly updates?: boolean;
  /** Throws what stands against `to` being made or replaced. Called when that is to happen, in the same turn of the loop. */
  readonly check: () => void;
}

/** Copies next to the destination, then puts the whole in its place. Gives the members that could not be copied. */
export async function stageCopy(copy: StagedCopy): Promise<Failure[]> {
  const { context, from, to, overwrite, deep, durable, updates = false, check } = copy;
  const name = context.tempNames.take();
  const staged = to.sibling(name);
  const work = new TreeCopy(context, durable);
  try {
    await work.copy(from.path, staged, deep);
    for (let busy = inUse(context, to); busy; busy = inUse(context, to)) await busy;
    check();
    if (updates && from.kind === 'file' && isLinked(to)) await update(copy, staged);
    else await install({ context, from: staged, kind: from.kind, to, overwrite });
  } finally {
    // Nothing is left there when it went well.
    await new TreeRemoval(context).remove(staged);
    context.tempNames.release(name);
  }
  return work.failures;
}

async function update({ context, to, durable }: StagedCopy, staged: FsPath): Promise<void> {
  const { fd, stat } = openRegularFile(staged);
  try {
    const body = StagedBody.ofFile(fd);
    const metadata = { mode: Number(stat.mode) };
    await changeInPlace(context, to, { body, extents: body.whole(0), size: body.length, metadata });
  } finally {
    fs.closeSync(fd);
  }
  if (durable) await syncFile(to);
  const { deadProperties } = context;
  for (const name of deadProperties.list(to.path)) deadProperties.set(to.path, name, undefined);
  deadProperties.copy(staged, to.path);
}
