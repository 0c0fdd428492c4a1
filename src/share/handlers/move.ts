import { requireConditions } from '../conditional.js';
import {
  checkOverwrite,
  locateDestination,
  parseDestination,
  parseOverwrite,
  respondFailures,
} from '../destination.js';
import { errnoCode, ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { install } from '../install.js';
import { dropUnmapped, locksRootedIn, requireUnlocked } from '../locks/enforcement.js';
import type { Place } from '../place.js';
import { resourceStates } from '../resource-states.js';
import { storedHeaders } from '../stored-answer.js';
import { stageCopy } from '../stage-copy.js';
import { syncFolder } from '../temp-file.js';
import type { TargetPath } from '../target-path.js';
import { TreeRemoval, type Failure } from '../tree.js';

/** RFC 4918 section 9.9: rename(2), of a link itself. */
export async function handleMove(exchange: Exchange): Promise<void> {
  if (exchange.target.segments.length === 0) throw new ShareError(403, 'MOVE of the root');
  await moveTo(exchange, parseDestination(exchange));
}

export async function moveTo(exchange: Exchange, destination: TargetPath): Promise<void> {
  const { context, target } = exchange;
  const depth = exchange.header('depth') ?? 'infinity';
  const overwrite = parseOverwrite(exchange);
  const from = context.root.locate(target.segments, false);
  try {
    from.existing();
    if (depth !== 'infinity' && from.kind === 'collection') {
      throw new ShareError(400, 'MOVE of a collection is of infinite depth');
    }
    const to = locateDestination(exchange, destination);
    try {
      const { nameLocks } = context;
      for (let busy = nameLocks.inUse(from, to); busy; busy = nameLocks.inUse(from, to)) {
        await busy;
      }
      from.refresh();
      to.refresh();
      requireConditions('MOVE', exchange.conditions, from.existing(), resourceStates(exchange));
      await perform({ exchange, from, to, destination: destination.segments, overwrite });
    } finally {
      to.close();
    }
  } finally {
    from.close();
  }
}

interface Move {
  readonly exchange: Exchange;
  readonly from: Place;
  readonly to: Place;
  /** Of the URL of `to`. */
  readonly destination: readonly string[];
  readonly overwrite: boolean;
}

function check({ exchange, from, to, destination, overwrite }: Move): void {
  checkOverwrite(to, overwrite);
  requireUnlocked(exchange, from, 'name');
  requireUnlocked(exchange, to, 'name', destination);
}

async function perform(work: Move): Promise<void> {
  const { exchange, from, to, destination } = work;
  const { context, target } = exchange;
  check(work);
  const created = to.kind === 'missing';
  const replaced = locksRootedIn(context, to, destination);
  const failures = await context.nameLocks.hold(from, () => move(work));
  // A lock stays with its URL, and ends with what it was a lock of (RFC 4918 sections 7.7 and 9.9.3).
  for (const lock of replaced) context.locks.remove(lock);
  dropUnmapped(context, from, target.segments);
  if (exchange.durable) await Promise.all([syncFolder(from), syncFolder(to)]);
  await context.versions.settle(to);
  if (failures.length > 0) await respondFailures(exchange, target.segments, failures);
  else exchange.respond(created ? 201 : 204, storedHeaders(to));
}

async function move(work: Move): Promise<readonly Failure[]> {
  const { from, to, overwrite } = work;
  const { context } = work.exchange;
  try {
    await install({ context, from: from.path, kind: from.kind, to, overwrite });
    return [];
  } catch (error) {
    // A folder into itself, by a way that the paths don't show.
    if (errnoCode(error) === 'EINVAL') {
      throw new ShareError(403, 'the destination is below the source', { cause: error });
    }
    if (errnoCode(error) !== 'EXDEV') throw error;
    return moveAcross(work);
  }
}

/** Another file system is mounted in between: a copy, and then the removal. The source stays when not all of it came over. */
async function moveAcross(work: Move): Promise<readonly Failure[]> {
  const { from, to, overwrite } = work;
  const { context } = work.exchange;
  const failures = await stageCopy({
    ...{ context, from, to, overwrite },
    deep: true,
    durable: true,
    check: () => check(work),
  });
  if (failures.length > 0) return failures;
  const removal = new TreeRemoval(context);
  await removal.remove(from.path);
  return removal.failures;
}
