/** Who may change what is locked: whoever submits the token of a lock on it in the If header (RFC 4918 sections 6.1, 7 and 10.4.1). */
import type { Context } from '../context.js';
import { ShareError, statusOf, type ErrorCondition } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { parseIfHeader } from '../if-header.js';
import { davCondition, formatDocument, formatStatusResponse } from '../multistatus-writer.js';
import type { Place } from '../place.js';

import type { Root } from '../root.js';
import { lockRoot } from './lock-properties.js';
import { opposes, type Lock } from './lock-table.js';
import { keysOf, parentsOf } from './resource-keys.js';
import type { FileState } from '../file-state.js';

/**
 * What a request does to a resource. state: its content or properties change; where nothing is there yet, it becomes a member of its
 * collection. name: its URL comes to lead nowhere or to something else, and with it all URLs below.
 */
export type Change = 'state' | 'name';

/**
 * Throws ShareError 423, or 207 when only members below stand in the way. REQUIRES: `place` was refreshed in this turn of the loop,
 * and the change begins in it. `segments`: of the URL by which `place` was found.
 */
export function requireUnlocked(
  exchange: Exchange,
  place: Place,
  change: Change,
  segments: readonly string[] = exchange.target.segments,
): void {
  const { locks, root } = exchange.context;
  if (locks.size === 0) return;
  const keys = keysOf(root, place, segments);
  const groups = [locks.covering(keys)];
  if (change === 'state') groups.push(locksByOtherNames(exchange.context, place));
  if (change === 'name' || place.kind === 'missing') groups.push(locks.covering(parentsOf(keys)));
  // One token of each resource will do: who shares a lock may write.
  const submitted = submittedTokens(exchange);
  const isKept = (group: readonly Lock[]): boolean =>
    group.length > 0 && !group.some(({ token }) => submitted.has(token));
  const blocking = groups.filter(isKept).flat();
  if (blocking.length > 0) throw locked('lock-token-submitted', blocking);
  if (change === 'state') return;
  const members = locks.below(keys).filter((lock) => isKept(locks.covering(lock.keys)));
  if (members.length > 0) throw membersLocked('lock-token-submitted', members);
}

/**
 * A resource that gets a further name at `to` takes its locks along: they must not conflict with the deep ones there. Throws ShareError
 * 423.
 */
export function requireCompatible(
  { locks, root }: Context,
  from: { place: Place; segments: readonly string[] },
  to: { place: Place; segments: readonly string[] },
): void {
  if (locks.size === 0) return;
  const there = locks.covering(parentsOf(keysOf(root, to.place, to.segments)));
  const own = locks.covering(keysOf(root, from.place, from.segments));
  const conflicting = there.filter(
    (lock) => lock.deep && own.some((other) => other !== lock && opposes(lock, other)),
  );
  if (conflicting.length > 0) throw locked('no-conflicting-lock', conflicting);
}

/** Of a file with several names (hard links): the locks on the others, for they are locks of the same content. */
export function locksByOtherNames({ locks, root }: Context, { kind, stat }: Place): Lock[] {
  if (kind !== 'file' || !stat || stat.nlink < 2n) return [];
  return locks.all().filter((lock) => {
    const other = lock.collection ? 'gone' : stateOf(root, lock.segments, true);
    return typeof other === 'object' && other.ino === stat.ino && other.dev === stat.dev;
  });
}

function submittedTokens(exchange: Exchange): ReadonlySet<string> {
  const header = exchange.header('if');
  const conditions = header === undefined ? [] : parseIfHeader(header);
  return new Set(
    conditions.flatMap((list) =>
      list.conditions.flatMap((condition) => (condition.kind === 'token' ? condition.token : [])),
    ),
  );
}

type LockCondition = 'lock-token-submitted' | 'no-conflicting-lock';

export function locked(name: LockCondition, locks: readonly Lock[]): ShareError {
  return new ShareError(423, 'locked', { condition: conditionOf(name, locks) });
}

/** Nothing was done, because of some members. `also`: other responses of the same document. */
export function membersLocked(
  name: LockCondition,
  locks: readonly Lock[],
  also: readonly string[] = [],
): ShareError {
  const responses = locks.map((lock) =>
    formatStatusResponse(lockRoot(lock), 423, conditionOf(name, [lock])),
  );
  const document = formatDocument('multistatus', [...new Set(responses), ...also].join(''));
  return new ShareError(207, 'a member is locked', { document });
}

function conditionOf(name: LockCondition, locks: readonly Lock[]): ErrorCondition {
  return { ...davCondition(name), hrefs: [...new Set(locks.map(lockRoot))] };
}

/** The locks that end when the resource at `place` is replaced by another, with all that is below it. */
export function locksRootedIn(
  { locks, root }: Context,
  place: Place,
  segments: readonly string[],
): Lock[] {
  return locks.size === 0 ? [] : locks.rootedIn(keysOf(root, place, segments));
}

/** After a change of names: ends the locks whose root is no longer mapped to a resource (section 6.1). */
export function dropUnmapped(context: Context, place: Place, segments: readonly string[]): void {
  for (const lock of locksRootedIn(context, place, segments)) {
    if (!isMapped(context, lock)) context.locks.remove(lock);
  }
}

export function isMapped({ root }: Context, { segments }: Lock): boolean {
  return stateOf(root, segments, false) !== 'gone';
}

function stateOf(
  root: Root,
  segments: readonly string[],
  follow: boolean,
): FileState | 'gone' | 'unknown' {
  try {
    const place = root.locate(segments, follow);
    place.close();
    return place.stat ?? 'gone';
  } catch (error) {
    return statusOf(error) === 404 ? 'gone' : 'unknown';
  }
}
