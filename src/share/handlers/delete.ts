import fs from 'node:fs';
import { requireConditions } from '../conditional.js';
import { respondFailures } from '../destination.js';
import { errnoCode, ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { DAVPORT_NS } from '../../webdav/types.js';
import { dropUnmapped, requireUnlocked } from '../locks/enforcement.js';
import { resourceStates } from '../resource-states.js';
import { syncFolder } from '../temp-file.js';
import { removeFile, TreeRemoval } from '../tree.js';
import type { Place } from '../place.js';
import { dropStore } from '../property-store.js';

/** RFC 4918 section 9.6. A link is removed, never what it leads to. */
export async function handleDelete(exchange: Exchange): Promise<void> {
  const { context, target } = exchange;
  if (target.segments.length === 0) throw new ShareError(403, 'DELETE of the root');
  const place = context.root.locate(target.segments, false);
  try {
    for (let busy = context.nameLocks.inUse(place); busy; busy = context.nameLocks.inUse(place)) {
      await busy;
    }
    place.refresh();
    const stat = place.existing();
    requireConditions('DELETE', exchange.conditions, stat, resourceStates(exchange));
    requireUnlocked(exchange, place, 'name');
    // Held: what is being removed is neither locked nor made again before it is gone.
    const removed = context.nameLocks.hold(place, () => remove(exchange, place));
    const failures = await removed.finally(() => dropUnmapped(context, place, target.segments));
    if (exchange.durable) await syncFolder(place);
    if (failures.length === 0) exchange.respond(204);
    else await respondFailures(exchange, target.segments, failures);
  } finally {
    place.close();
  }
}

async function remove(exchange: Exchange, place: Place): Promise<TreeRemoval['failures']> {
  if (place.kind !== 'collection') {
    await removeFile(place.path, place.existing());
    return [];
  }
  if (exchange.header('depth') === '0') {
    removeEmpty(place);
    return [];
  }
  const removal = new TreeRemoval(exchange.context);
  await removal.remove(place.path);
  const [first] = removal.failures;
  if (first?.names.length === 0) throw new ShareError(first.status, 'could not be removed');
  return removal.failures;
}

/**
 * Our own meaning of Depth 0, which RFC 4918 forbids clients to send: rmdir(2). What others put into the folder since the client
 * looked stays.
 */
function removeEmpty(place: Place): void {
  try {
    fs.rmdirSync(place.path);
  } catch (error) {
    if (errnoCode(error) !== 'ENOTEMPTY' && errnoCode(error) !== 'EEXIST') throw error;
    if (dropStore(place.path)) {
      fs.rmdirSync(place.path);
      return;
    }
    const condition = { ns: DAVPORT_NS, name: 'collection-is-empty' };
    throw new ShareError(409, 'the collection has members', { condition, cause: error });
  }
}
