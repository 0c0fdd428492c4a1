/** From a request to its handler, and from whatever that throws to the answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from './context.js';
import { ClientGoneError, ShareError, statusOf } from './errors.js';
import { Exchange } from './exchange.js';
import { handleBind } from './handlers/bind.js';
import { handleCopy } from './handlers/copy.js';
import { handleDelete } from './handlers/delete.js';
import { handleGet } from './handlers/get.js';
import { handleLock } from './handlers/lock.js';
import { handleMkcol } from './handlers/mkcol.js';
import { handleMove } from './handlers/move.js';
import { allowedMethods, handleOptions, READ_METHODS } from './handlers/options.js';
import { handlePropfind } from './handlers/propfind.js';
import { handlePatch } from './handlers/patch.js';
import { handleProppatch } from './handlers/proppatch.js';
import { handlePut } from './handlers/put.js';
import { handleReport } from './handlers/report.js';
import { handleUnlock } from './handlers/unlock.js';
import { handleRebind, handleUnbind } from './handlers/rebind.js';
import { handleSearch } from './handlers/search.js';
import { formatErrorBody, XML_TYPE } from './multistatus-writer.js';
import { writeHead, type Headers } from './response-head.js';

const HANDLERS: Readonly<Record<string, (exchange: Exchange) => Promise<void> | void>> = {
  OPTIONS: handleOptions,
  GET: handleGet,
  HEAD: handleGet,
  PROPFIND: handlePropfind,
  SEARCH: handleSearch,
  PUT: handlePut,
  PATCH: handlePatch,
  DELETE: handleDelete,
  MKCOL: handleMkcol,
  COPY: handleCopy,
  MOVE: handleMove,
  PROPPATCH: handleProppatch,
  REPORT: handleReport,
  LOCK: handleLock,
  UNLOCK: handleUnlock,
  BIND: handleBind,
  UNBIND: handleUnbind,
  REBIND: handleRebind,
};

/** Answers one request. Never rejects; the response has ended, or the connection is gone. */
export async function dispatch(
  req: IncomingMessage,
  res: ServerResponse,
  context: Context,
): Promise<{ bytesIn: number; bytesOut: number }> {
  // A write to a connection that has just gone is reported here, too; who writes looks for 'close'.
  res.on('error', () => undefined);
  let exchange: Exchange | undefined;
  let errorBytes = 0;
  try {
    exchange = new Exchange(req, res, context);
    await handle(exchange);
  } catch (error) {
    errorBytes = answerError(req, res, context, { error, fields: exchange?.fields ?? {} });
  }
  // What is left of a body nobody wanted must go, or the next request never comes.
  if (!req.complete) req.resume();
  return { bytesIn: exchange?.bytesIn ?? 0, bytesOut: (exchange?.bytesOut ?? 0) + errorBytes };
}

function handle(exchange: Exchange): Promise<void> | void {
  const { method, context } = exchange;
  const handler = Object.hasOwn(HANDLERS, method) ? HANDLERS[method] : undefined;
  const { readOnly } = context.options;
  if (!handler) {
    // POST and the like are known but not for any resource here.
    throw new ShareError(405, `no ${method} here`, {
      headers: { Allow: allowedMethods(readOnly) },
    });
  }
  exchange.requireKnownExpectation();
  if (readOnly && !READ_METHODS.has(method)) throw new ShareError(403, 'shared for reading only');
  return handler(exchange);
}

/** Gives how many bytes of body it sends. */
function answerError(
  req: IncomingMessage,
  res: ServerResponse,
  { options: { log } }: Context,
  { error, fields }: { error: unknown; fields: Headers },
): number {
  const gone = error instanceof ClientGoneError || (req.destroyed && !req.complete);
  const status = statusOf(error);
  const detail = { method: req.method, target: req.url, error: String(error) };
  if (!gone && status >= 500) log.warn('a request failed', { ...detail, status });
  else if (log.enabled('debug')) log.debug('a request was refused', { ...detail, status });
  // In the middle of a body only a broken connection tells the truth.
  if (gone || res.headersSent || res.destroyed) {
    res.destroy();
    return 0;
  }
  const told = error instanceof ShareError ? error : undefined;
  const xml = told?.document ?? (told?.condition && formatErrorBody(told.condition));
  const body = xml ?? `${told?.message ?? 'the file system refused'}\n`;
  const length = Buffer.byteLength(body);
  const type = xml !== undefined ? XML_TYPE : 'text/plain; charset=utf-8';
  writeHead(res, status, [fields, { ...told?.headers, 'Content-Type': type }], length);
  const bodyless = req.method === 'HEAD';
  res.end(bodyless ? undefined : body);
  return bodyless ? 0 : length;
}
