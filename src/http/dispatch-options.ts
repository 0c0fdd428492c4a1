import type { Dispatcher } from 'undici';
import { BodyFeed } from './body.js';
import { ACCEPTED_CODING } from './decoder.js';
import type { Exchange } from './exchange.js';
import type { HttpRequest } from './types.js';

const ACCEPT_CODING = { 'accept-encoding': ACCEPTED_CODING };

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
    headers: { ...request.headers, ...length, ...(exchange.asksForCoding && ACCEPT_CODING) },
    // undici's types know no async iterable here, its code does.
    body: (body ?? null) as Buffer | null,
    reset: options.reset,
  };
}
