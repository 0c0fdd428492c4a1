/** DAV:scope: where the search begins (RFC 5323 section 5.4). Any resource of the share may be asked for any scope in it. */
import { isOtherServer } from '../destination.js';
import { ShareError, statusOf } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { davCondition } from '../multistatus-writer.js';
import type { Place } from '../place.js';
import { parseTargetPath } from '../target-path.js';

export interface Scope {
  readonly segments: readonly string[];
  /** The caller closes it. */
  readonly place: Place;
}

/** `href` is an absolute path, a URL, or relative to the request's target. */
export function openScope(exchange: Exchange, href: string, showLinks: boolean): Scope {
  const { context } = exchange;
  try {
    if (isOtherServer(href, exchange.header('host'))) throw invalidScope();
    const { segments, trailingSlash } = parseTargetPath(
      absolutePath(exchange.req.url ?? '/', href),
    );
    const place = context.root.locate(segments, !showLinks || trailingSlash);
    if (place.stat && !context.tempNames.isActive(place.name)) return { segments, place };
    place.close();
    throw invalidScope();
  } catch (error) {
    if (statusOf(error) >= 500) throw error;
    throw invalidScope(error);
  }
}

function absolutePath(target: string, href: string): string {
  if (href.startsWith('/') || /^[a-z][a-z0-9+.-]*:\/\//i.test(href)) return href;
  const [path = '/'] = target.split('?');
  if (href === '') return path;
  return path.slice(0, path.lastIndexOf('/') + 1) + href.replace(/^\.(\/|$)/, '');
}

function invalidScope(cause?: unknown): ShareError {
  const condition = davCondition('search-scope-valid');
  return new ShareError(409, 'the scope is nothing that is here', { condition, cause });
}
