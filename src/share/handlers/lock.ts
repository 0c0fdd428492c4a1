import fs from 'node:fs';
import { requireConditions } from '../conditional.js';
import { errnoCode, ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { parseIfHeader } from '../if-header.js';
import { formatProperty, DAV_NS } from '../live-properties.js';
import {
  isMapped,
  locked,
  locksByOtherNames,
  membersLocked,
  requireUnlocked,
} from '../locks/enforcement.js';
import { formatLocks } from '../locks/lock-properties.js';
import {
  DEFAULT_TIMEOUT_MS,
  parseLockDepth,
  parseLockInfo,
  parseTimeout,
  type LockInfo,
} from '../locks/lock-request.js';
import { opposes, type Lock } from '../locks/lock-table.js';
import { isBelow, keyOfPlace, keysOf, type ResourceKeys } from '../locks/resource-keys.js';
import {
  davCondition,
  formatDocument,
  formatStatusResponse,
  XML_TYPE,
} from '../multistatus-writer.js';
import type { Place } from '../place.js';
import { resourceStates } from '../resource-states.js';
import { formatHref } from '../target-path.js';
import { syncFolder } from '../temp-file.js';
import { locateForWriting } from './put.js';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

/** RFC 4918 section 9.10: a new lock, or without a body the timeout of an old one anew. */
export async function handleLock(exchange: Exchange): Promise<void> {
  const body = await exchange.smallBody();
  if (body.length === 0) refresh(exchange);
  else await create(exchange, parseLockInfo(body), parseLockDepth(exchange.header('depth')));
}

async function create(exchange: Exchange, info: LockInfo, deep: boolean): Promise<void> {
  const { context } = exchange;
  const place = locateForWriting(exchange);
  try {
    const { lock, created } = addLock(exchange, place, info, deep);
    // Changes that were allowed before the lock was there come to their end before it is promised.
    await settled(exchange, place, lock.keys);
    if (created && exchange.durable) await syncFolder(place);
    if (created) await context.versions.settle(place);
    requireAlive(exchange, lock);
    respond(exchange, created ? 201 : 200, lock, { 'Lock-Token': `<${lock.token}>` });
  } finally {
    place.close();
  }
}

/** A lock whose token nobody gets, or of what is not there any more, would be in the way until its time is over. */
function requireAlive({ context, res }: Exchange, lock: Lock): void {
  if (context.locks.get(lock.token) && isMapped(context, lock) && !res.destroyed) return;
  context.locks.remove(lock);
  throw new ShareError(409, 'the resource was removed in that moment');
}

/** In one turn of the loop: check, new resource, lock. */
function addLock(
  exchange: Exchange,
  place: Place,
  { scope, owner }: LockInfo,
  deep: boolean,
): { lock: Lock; created: boolean } {
  const { context, req, target } = exchange;
  place.refresh();
  const created = place.kind === 'missing';
  checkKind(exchange, place);
  requireConditions('LOCK', req.headers, place.stat, resourceStates(exchange));
  const keys = keysOf(context.root, place, target.segments);
  const request = {
    scope,
    owner,
    keys,
    deep,
    segments: target.segments,
    collection: place.kind === 'collection',
    timeoutMs: parseTimeout(exchange.header('timeout')) ?? DEFAULT_TIMEOUT_MS,
  };
  const { own, members } = context.locks.conflicts(request);
  own.push(...locksByOtherNames(context, place).filter((lock) => opposes(lock, request)));
  if (own.length > 0) throw locked('no-conflicting-lock', own);
  if (members.length > 0) {
    const href = formatHref(target.segments, request.collection);
    const also = [formatStatusResponse(href, 424)];
    throw membersLocked('no-conflicting-lock', members, also);
  }
  if (created) requireUnlocked(exchange, place, 'state');
  context.locks.requireRoom(keys);
  if (created) makeEmpty(place);
  return { lock: context.locks.add(request), created };
}

function checkKind({ context, target }: Exchange, place: Place): void {
  if (context.tempNames.isActive(place.name)) throw new ShareError(404, 'not there yet');
  if (place.kind === 'special' || place.kind === 'link') {
    throw new ShareError(403, 'neither file nor collection, or a link that is not followed');
  }
  if (place.kind === 'missing' && target.trailingSlash) {
    throw new ShareError(409, 'no such collection; LOCK makes only files');
  }
}

/** Section 7.3: an empty resource, which stays when the lock goes. */
function makeEmpty(place: Place): void {
  try {
    fs.closeSync(fs.openSync(place.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666));
  } catch (error) {
    // The folder was removed since it was found.
    if (errnoCode(error) !== 'ENOENT') throw error;
    throw new ShareError(409, 'no such parent collection', { cause: error });
  }
}

/** Waits for what is being done to the resource, to what is above and to what is below. */
async function settled({ context }: Exchange, place: Place, keys: ResourceKeys): Promise<void> {
  const names = context.nameLocks.inFlight().filter((change) => {
    const other = keyOfPlace(context.root, change.place);
    if (other === undefined) return false;
    return keys.some((key) => key === other || isBelow(key, other) || isBelow(other, key));
  });
  const content = place.stat && context.contentLocks.beingChanged(place.stat);
  await Promise.all([...names.map(({ done }) => done), content]);
}

/** Section 9.10.2. */
function refresh(exchange: Exchange): void {
  const { context, req, target } = exchange;
  const header = exchange.header('if');
  if (header === undefined) throw new ShareError(400, 'neither a lockinfo nor an If header');
  const tokens = new Set<string>();
  for (const { conditions } of parseIfHeader(header)) {
    for (const condition of conditions) {
      if (condition.kind === 'token' && !condition.not) tokens.add(condition.token);
    }
  }
  const [token, ...more] = tokens;
  if (token === undefined || more.length > 0) {
    throw new ShareError(400, 'the If header of a refresh has one lock token');
  }
  const place = context.root.locate(target.segments, true);
  try {
    const lock = context.locks.get(token);
    const keys = keysOf(context.root, place, target.segments);
    if (!lock || !context.locks.covering(keys).includes(lock)) {
      const condition = davCondition('lock-token-matches-request-uri');
      throw new ShareError(412, 'no lock of this resource', { condition });
    }
    requireConditions('LOCK', req.headers, place.existing(), resourceStates(exchange));
    context.locks.refresh(lock, parseTimeout(exchange.header('timeout')) ?? lock.timeoutMs);
    respond(exchange, 200, lock, {});
  } finally {
    place.close();
  }
}

function respond(
  exchange: Exchange,
  status: number,
  lock: Lock,
  headers: Readonly<Record<string, string>>,
): void {
  const locks = formatLocks(exchange.context.locks, [lock]);
  const discovery = formatProperty({ ns: DAV_NS, name: 'lockdiscovery' }, locks);
  const body = formatDocument('prop', discovery);
  exchange.respond(status, { 'Content-Type': XML_TYPE, ...headers }, body);
}
