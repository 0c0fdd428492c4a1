/** Conditions of a change as each server understands them. */
import type { DavContext } from './context.js';
import { isWeak, sameVersion } from './etag.js';
import { stat } from './methods/stat.js';
import { ifVersion } from './status.js';
import {
  DavError,
  type CallOptions,
  type Precondition,
  type Resource,
  type ServerProfile,
} from './types.js';

/** Servers that compare ETags in the DAV If header: phodav knows nothing else, Apache compares weakly there. */
const HONOURS_IF = new Set<ServerProfile['name']>(['phodav', 'apache', 'davport']);

export interface ConditionalMethod {
  readonly method: 'PUT' | 'DELETE';
  readonly path: string;
  readonly precondition: Precondition | undefined;
  readonly call: CallOptions | undefined;
}

/**
 * The header fields that make a request conditional. Where the server has none that it honours, the resource is looked at right
 * now instead: not atomic, but the best there is.
 */
export async function preconditionFields(
  context: DavContext,
  profile: ServerProfile,
  request: ConditionalMethod,
): Promise<Record<string, string>> {
  const { etag, absent } = request.precondition ?? {};
  if (absent === true) return absentFields(context, profile, request);
  if (etag === undefined) return {};
  const condition = ifVersion(etag);
  if (condition !== undefined && HONOURS_IF.has(profile.name)) return { if: condition };
  await requireVersion(context, request, etag);
  return condition === undefined || isWeak(etag) ? {} : { 'if-match': etag };
}

async function absentFields(
  context: DavContext,
  profile: ServerProfile,
  request: ConditionalMethod,
): Promise<Record<string, string>> {
  if (!profile.conditionalPut && (await find(context, request)) !== undefined) {
    throw failed(request, 'there is something already');
  }
  return { 'if-none-match': '*' };
}

async function requireVersion(
  context: DavContext,
  request: ConditionalMethod,
  etag: string,
): Promise<void> {
  const found = await find(context, request);
  if (found?.etag === undefined || !sameVersion(found.etag, etag)) {
    throw failed(request, 'the resource has changed');
  }
}

async function find(
  context: DavContext,
  { path, call }: ConditionalMethod,
): Promise<Resource | undefined> {
  try {
    return await stat(context, path, call);
  } catch (error) {
    if (error instanceof DavError && error.status === 404) return undefined;
    throw error;
  }
}

function failed({ method, path }: ConditionalMethod, what: string): DavError {
  return new DavError(method, path, 412, { message: `${method} ${path}: ${what}` });
}
