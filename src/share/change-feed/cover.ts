import type { Exchange } from '../exchange.js';
import type { Place } from '../place.js';

/**
 * Called before the state of `place` is told. When the client named its feed, what changes from now on will be told there, and the
 * response says so by naming it, too. `followed`: a link as the last name was.
 */
export function coverByFeed(exchange: Exchange, place: Place, followed: boolean): void {
  const { context, fields, target } = exchange;
  const id = exchange.header('davport-feed');
  if (id === undefined || !context.changeFeeds.cover(id, place, target.segments, followed)) return;
  fields['Davport-Feed'] = id;
}
