/** SEARCH (RFC 5323): DAV:basicsearch over one scope. */
import type { Context } from '../context.js';
import { ClientGoneError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { lockDiscovery } from '../locks/lock-properties.js';
import { formatStatusResponse, MultistatusWriter } from '../multistatus-writer.js';
import { compileReport, namesPosix } from '../property-report.js';
import type { PropfindRequest } from '../propfind-request.js';
import { parseSearch, type SearchQuery } from '../search/query.js';
import { openScope } from '../search/scope.js';
import { HEARTBEAT_MS, Search } from '../search/search.js';
import { Turns } from '../search/turns.js';
import { ScopeWalk } from '../search/walk.js';
import { formatHref } from '../target-path.js';

/** Ours: searches at a time; each has up to a few hundred folders open. */
const MAX_SEARCHES = 4;

const turnsOf = new WeakMap<Context, Turns>();

export async function handleSearch(exchange: Exchange): Promise<void> {
  const query = parseSearch(await exchange.smallBody());
  const selected = selectedProperties(query);
  const showLinks = namesPosix(selected);
  const scope = openScope(exchange, query.scope, showLinks);
  try {
    const { context } = exchange;
    const report = compileReport(selected, context.deadProperties, false, lockDiscovery(context));
    const writer = new MultistatusWriter(exchange);
    const endTurn = await waitForTurn(exchange, writer);
    const walk = new ScopeWalk(context, scope, { depth: query.depth, showLinks });
    try {
      const complete = await new Search(exchange, { query, walk, report, writer }).run();
      if (!complete) await writer.add(truncated(exchange));
      await writer.end();
    } finally {
      walk.close();
      endTurn();
    }
  } finally {
    scope.place.close();
  }
}

function selectedProperties({ select }: SearchQuery): PropfindRequest {
  return select ? { kind: 'prop', names: select } : { kind: 'allprop', include: [] };
}

/** There may be more than was told (section 2.3.1). */
function truncated({ target: { segments, trailingSlash } }: Exchange): string {
  return formatStatusResponse(formatHref(segments, trailingSlash), 507);
}

async function waitForTurn(exchange: Exchange, writer: MultistatusWriter): Promise<() => void> {
  const { context, res } = exchange;
  let turns = turnsOf.get(context);
  if (!turns) turnsOf.set(context, (turns = new Turns(MAX_SEARCHES)));
  const gone = new AbortController();
  const giveUp = (): void => gone.abort();
  res.once('close', giveUp);
  let beat: Promise<void> | undefined;
  const heartbeat = setInterval(() => {
    // One at a time: the client may be slow to take it.
    beat ??= writer.flush().then(() => void (beat = undefined), giveUp);
  }, HEARTBEAT_MS);
  const turn = turns.take(gone.signal);
  try {
    const end = await Promise.race([turn, aborted(gone.signal)]);
    clearInterval(heartbeat);
    await beat;
    if (end && !gone.signal.aborted) return end;
    // It may have come in the same moment.
    void turn.then((late) => late());
    throw new ClientGoneError('the connection closed before the search');
  } finally {
    clearInterval(heartbeat);
    res.off('close', giveUp);
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
