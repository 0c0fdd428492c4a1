import type { HttpBody, HttpResponse } from '../../http/types.js';
import { send, type DavContext } from '../context.js';
import { formatPosixProperty } from '../posix-property.js';
import { preconditionFields } from '../preconditions.js';
import { requireStatus } from '../status.js';
import { storedResource } from '../stored-resource.js';
import type { PutOptions, PutResult, ServerProfile, SyncOptions } from '../types.js';

/**
 * PUT of a whole file. A body goes with its length where that is known: a chunked one that is cut looks complete to some servers, so that
 * one without must not go to the name itself there.
 */
export async function put(
  context: DavContext,
  path: string,
  body: HttpBody,
  options: PutOptions = {},
): Promise<PutResult> {
  const profile = await context.profile(options);
  const fields = { ...posixField(profile, options), ...syncField(options) };
  const response = await sendPut(context, path, body, fields, options);
  return {
    created: response.status === 201,
    resource: profile.putReturnsResource ? storedResource(response) : undefined,
  };
}

/** `fields`: beside the conditions. */
export async function sendPut(
  context: DavContext,
  path: string,
  body: HttpBody,
  fields: Readonly<Record<string, string>>,
  options: PutOptions,
): Promise<HttpResponse> {
  const profile = await context.profile(options);
  const conditions = await preconditionFields(context, profile, {
    method: 'PUT',
    path,
    precondition: options.precondition,
    call: options,
  });
  const response = await send(context, {
    method: 'PUT',
    path,
    headers: { 'content-type': 'application/octet-stream', ...conditions, ...fields },
    body,
    call: options,
  });
  requireStatus('PUT', path, response, [200, 201, 204]);
  return response;
}

/** A server may be asked for what it doesn't promise: then nobody relies on it. */
export function syncField({ durable }: SyncOptions): Record<string, string> {
  return durable === true ? { 'davport-sync': '1' } : {};
}

export function posixField(
  profile: ServerProfile,
  { posix }: Pick<PutOptions, 'posix'>,
): Record<string, string> {
  return posix !== undefined && profile.livePosix
    ? { 'davport-posix': formatPosixProperty(posix) }
    : {};
}
