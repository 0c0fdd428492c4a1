import type { HttpClient, HttpRequest, HttpResponse } from '../http/types.js';
import type { Logger } from '../log.js';
import { toTarget } from './href.js';
import type { CallOptions, ServerProfile } from './types.js';

/** What each method has at hand. */
export interface DavContext {
  readonly http: HttpClient;
  readonly log: Logger;
  profile(options?: CallOptions): Promise<ServerProfile>;
}

export interface MethodRequest extends Omit<HttpRequest, 'target' | 'signal'> {
  readonly path: string;
  /** Address it with a trailing slash. */
  readonly collection?: boolean;
  readonly call: CallOptions | undefined;
}

/** Sends one method at a path. */
export function send(context: DavContext, request: MethodRequest): Promise<HttpResponse> {
  const { path, collection, call, ...rest } = request;
  return context.http.request({
    ...rest,
    target: toTarget(context.http.basePath, path, collection),
    ...(call?.signal && { signal: call.signal }),
  });
}
