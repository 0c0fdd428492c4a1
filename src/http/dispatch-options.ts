import type { Dispatcher } from 'undici';
import { BodyFeed } from './body.js';
import type { Exchange } from './exchange.js';
import type { HttpRequest } from './types.js';

/** `reset`: the connection is not used again after the response. */
export function toDispatchOptions(
  request: HttpRequest,
  exchange: Exchange,
  options: { readonly reset: boolean },
): Dispatcher.DispatchOptions {
  const body = exchange.body;
  const size = body instanceof BodyFeed ? body.size : undefined;
  const length = size === undefined ? undefined : { 'content-length': String(size) };
  return {
    path: request.target,
    method: request.method,
    headers: { ...request.headers, ...length },
    // undici's types know no async iterable here, its code does.
    body: (body ?? null) as Buffer | null,
    reset: options.reset,
  };
}
