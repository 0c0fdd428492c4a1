import type { Exchange } from './exchange.js';
import { etagOf } from './etag.js';
import type { ResourceState } from './if-header.js';
import { keysOf, type ResourceKeys } from './locks/resource-keys.js';
import { parseTargetPath } from './target-path.js';

/**
 * State of the resources that an If header names; undefined: that of the request. What can't be found, and what isn't there, has no
 * state (RFC 4918 section 10.4.3).
 */
export function resourceStates(
  exchange: Exchange,
): (resource: string | undefined) => ResourceState {
  const { locks } = exchange.context;
  return (resource) => {
    const { etag, keys } = find(exchange, resource);
    let tokens: ReadonlySet<string> | undefined;
    return {
      etag,
      hasToken: (token) =>
        (tokens ??= new Set(locks.covering(keys).map((lock) => lock.token))).has(token),
    };
  };
}

function find(
  { context: { root }, target }: Exchange,
  resource: string | undefined,
): { etag: string | undefined; keys: ResourceKeys } {
  try {
    const { segments } = resource === undefined ? target : parseTargetPath(resource);
    const place = root.locate(segments, true);
    try {
      if (place.stat) return { etag: etagOf(place.stat), keys: keysOf(root, place, segments) };
    } finally {
      place.close();
    }
  } catch {
    // As if nothing were there.
  }
  return { etag: undefined, keys: [] };
}
