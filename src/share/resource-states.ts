import type { Exchange } from './exchange.js';
import { etagOf } from './etag.js';
import type { ResourceState } from './if-header.js';
import { parseTargetPath } from './target-path.js';

/** State of the resources that tagged lists of an If header name. What can't be found has none. */
export function resourceStates({ context }: Exchange): (resource: string) => ResourceState {
  return (resource) => {
    let etag: string | undefined;
    try {
      const place = context.root.locate(parseTargetPath(resource).segments, true);
      etag = place.stat && etagOf(place.stat);
      place.close();
    } catch {
      etag = undefined;
    }
    return { etag, hasToken: () => false };
  };
}
