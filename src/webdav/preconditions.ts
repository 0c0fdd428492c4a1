/** Conditions of a change as each server understands them. */
import type { DavContext } from './context.js';
import { isWeak, sameVersion } from './etag.js';
import { toTarget } from './href.js';
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
  readonly method: 'PUT' | 'PATCH' | 'DELETE' | 'MOVE' | 'COPY';
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

/**
 * Makes a MOVE or COPY depend on the version that it replaces, by a tagged list of the DAV If header (RFC 4918 10.4.1).
 *
 * phodav takes the tag's path for the file's name without decoding it, so that only names that need no escaping can be named.
 * (And a tag without scheme and host crashes it.)
 */
export async function destinationFields(
  context: DavContext,
  profile: ServerProfile,
  request: ConditionalMethod & { readonly destination: string; readonly etag: string },
): Promise<Record<string, string>> {
  const { etag, path, destination } = request;
  const condition = ifVersion(etag);
  const nameable = profile.name !== 'phodav' || PLAIN_PATH.test(path);
  if (condition === undefined || !nameable || !HONOURS_IF.has(profile.name)) {
    await requireVersion(context, request, etag);
    return {};
  }
  const tag = profile.name === 'phodav' ? context.http.absoluteUrl(path) : destination;
  return { if: `<${tag}> ${condition}` };
}

/**
 * Makes a COPY depend on the version that is copied. The lists of one If header are alternatives (RFC 4918 10.4.3), so that where it
 * speaks of the destination, the source has to be said otherwise.
 */
export async function sourceFields(
  context: DavContext,
  profile: ServerProfile,
  request: ConditionalMethod & { readonly etag: string; readonly ifIsTaken: boolean },
): Promise<Record<string, string>> {
  const { etag, ifIsTaken, path } = request;
  const condition = ifVersion(etag);
  if (condition !== undefined && HONOURS_IF.has(profile.name)) {
    if (!ifIsTaken) return { if: `${sourceTag(context, profile, path)}${condition}` };
    if (profile.name === 'davport' && !isWeak(etag)) return { 'if-match': etag };
  }
  await requireVersion(context, request, etag);
  return {};
}

/** Apache holds a list without a tag against the destination, too; phodav takes none but that, as it does not decode tags. */
function sourceTag(context: DavContext, profile: ServerProfile, path: string): string {
  if (profile.name === 'phodav') return '';
  return `<${context.http.absoluteUrl(toTarget(context.http.basePath, path))}> `;
}

/** Characters that stand for themselves in a URI, escaped or not. */
const PLAIN_PATH = /^[A-Za-z0-9\-._~/!$&'()*+,;=:@]*$/;

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
