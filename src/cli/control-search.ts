/** What the process of a mount does for `davport search`. */
import { DavportError } from '../errors.js';
import { formatIsoDate } from '../webdav/http-date.js';
import { joinPath } from '../webdav/href.js';
import { DavError, type Resource, type WebDavClient } from '../webdav/types.js';
import type { ControlLine } from './control-protocol.js';
import type { ControlHandler } from './control-server.js';
import { parseQuery } from './search-query.js';

/** As many as our own share does at a time. */
const MAX_SEARCHES = 4;

/** `path`: of the folder to look in, below the mountpoint. */
export interface SearchQuestion {
  readonly op: 'search';
  readonly path: string;
  readonly query: string;
  readonly limit?: number;
}

/** One result; `path` is below the mountpoint. */
export interface FoundLine {
  readonly path: string;
  readonly type: 'file' | 'dir' | 'link' | 'special';
  readonly size?: number;
  readonly modified?: string;
  readonly created?: string;
}

export function searchHandler(client: WebDavClient): ControlHandler {
  let searches = 0;
  return async (question, tell, signal) => {
    if (!isSearch(question)) throw new DavportError('BAD_QUESTION', 'no such question');
    if (searches >= MAX_SEARCHES) {
      throw new DavportError('BUSY', `${searches} searches are under way already; try again`);
    }
    searches += 1;
    try {
      const complete = await search(client, question, (found) => tell({ found }), signal);
      tell({ end: { complete } });
    } finally {
      searches -= 1;
    }
  };
}

function isSearch(line: ControlLine): line is ControlLine & SearchQuestion {
  const { path, query, limit } = line;
  const isLimit = limit === undefined || (Number.isSafeInteger(limit) && (limit as number) > 0);
  return typeof path === 'string' && typeof query === 'string' && isLimit;
}

/** Gives whether that was all. */
async function search(
  client: WebDavClient,
  { path, query, limit = Infinity }: SearchQuestion,
  tell: (found: FoundLine) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { where, folder } = parseQuery(query, Date.now());
  const scope = folder.reduce(joinPath, path);
  let count = 0;
  try {
    const { complete } = await client.search(scope, {
      signal,
      ...(where && { where }),
      // One more, to know whether there is more; and the folder itself is none of its files.
      ...(Number.isFinite(limit) && { limit: limit + 2 }),
      onFound: (found) => {
        if (found.path === scope) return;
        count += 1;
        if (count <= limit) tell(toLine(found.path, found.resource));
      },
    });
    return complete && count <= limit;
  } catch (error) {
    throw explain(error, scope);
  }
}

function toLine(path: string, resource: Resource): FoundLine {
  const { mtime, created } = resource;
  const type = typeOf(resource);
  return {
    path,
    type,
    ...(type === 'file' && { size: resource.size }),
    ...(mtime && { modified: formatIsoDate(mtime) }),
    ...(created && { created: formatIsoDate(created) }),
  };
}

const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;

function typeOf({ kind, posix }: Resource): FoundLine['type'] {
  if (((posix?.mode ?? 0) & S_IFMT) === S_IFLNK) return 'link';
  return kind === 'collection' ? 'dir' : kind;
}

function explain(error: unknown, scope: string): unknown {
  if (!(error instanceof DavError)) return error;
  if (error.status === 405 || error.status === 501) {
    return new DavportError('NO_SEARCH', 'the server has no SEARCH', { cause: error });
  }
  if (error.condition === 'search-scope-valid' || error.status === 404) {
    return new DavportError('NO_FOLDER', `no such folder: ${scope || '/'}`, { cause: error });
  }
  return new DavportError('SEARCH_REFUSED', `the server refuses this query: ${error.status}`, {
    cause: error,
  });
}
