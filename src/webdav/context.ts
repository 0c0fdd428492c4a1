import type { HttpClient, HttpRequest, HttpResponse } from '../http/types.js';
import type { Logger } from '../log.js';
import { toTarget } from './href.js';
import { submitTokens, type LockTokens } from './lock-tokens.js';
import type { CallOptions, ServerProfile } from './types.js';

/** What each method has at hand. */
export interface DavContext {
  readonly http: HttpClient;
  readonly log: Logger;
  /** Of the locks that are held. */
  readonly locks: LockTokens;
  profile(options?: CallOptions): Promise<ServerProfile>;
}

export interface MethodRequest extends Omit<HttpRequest, 'target' | 'signal'> {
  readonly path: string;
  /** Address it with a trailing slash. */
  readonly collection?: boolean;
  /** A further path that it changes. */
  readonly destination?: string;
  readonly call: CallOptions | undefined;
}

/** Methods that change what is at their path. COPY changes its destination alone. */
const CHANGING = new Set(['PUT', 'PATCH', 'DELETE', 'MOVE', 'PROPPATCH']);

/** Sends one method at a path. */
export async function send(context: DavContext, request: MethodRequest): Promise<HttpResponse> {
  const { path, collection, call, destination, ...rest } = request;
  const target = toTarget(context.http.basePath, path, collection);
  const changed = [
    ...(CHANGING.has(request.method) ? context.locks.within(path) : []),
    ...(destination === undefined ? [] : context.locks.within(destination)),
  ];
  const response = await context.http.request({
    ...rest,
    ...(changed.length > 0 && { headers: withTokens(context, request, changed) }),
    target,
    ...(call?.signal && { signal: call.signal }),
  });
  if (response.status === 412) changed.forEach((each) => context.locks.onDoubt(each));
  return response;
}

function withTokens(
  { http, locks }: DavContext,
  { path, headers }: MethodRequest,
  changed: readonly string[],
): Record<string, string> {
  const urlOf = (of: string): string => http.absoluteUrl(toTarget(http.basePath, of));
  const tokens = new Map(changed.map((each) => [urlOf(each), locks.get(each)!]));
  return {
    ...headers,
    if: submitTokens(headers?.if, urlOf(path), tokens),
  };
}
