import { requireConditions } from '../conditional.js';
import { ShareError, statusOf } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { parseLockToken } from '../locks/lock-request.js';
import { keyOfUrl, keysOf, type ResourceKeys } from '../locks/resource-keys.js';
import { davCondition } from '../multistatus-writer.js';
import type { Place } from '../place.js';
import { resourceStates } from '../resource-states.js';

/** RFC 4918 section 9.11. Who knows the token may end the lock: there are no users here. */
export function handleUnlock(exchange: Exchange): void {
  const { locks } = exchange.context;
  const lock = locks.get(parseLockToken(exchange.header('lock-token')));
  if (!lock || !locks.covering(checkedKeys(exchange)).includes(lock)) {
    const condition = davCondition('lock-token-matches-request-uri');
    throw new ShareError(409, 'no lock of this resource', { condition });
  }
  locks.remove(lock);
  exchange.respond(204);
}

/** A local program may have removed what is locked, and its folder: the lock can be ended all the same. */
function checkedKeys(exchange: Exchange): ResourceKeys {
  const { context, target, req } = exchange;
  const place = tryLocate(exchange);
  try {
    requireConditions('UNLOCK', req.headers, place?.stat, resourceStates(exchange));
    return place ? keysOf(context.root, place, target.segments) : [keyOfUrl(target.segments)];
  } finally {
    place?.close();
  }
}

function tryLocate({ context, target }: Exchange): Place | undefined {
  try {
    return context.root.locate(target.segments, true);
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    return undefined;
  }
}
