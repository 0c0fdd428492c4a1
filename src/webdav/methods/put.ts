import type { HttpBody, HttpResponse } from '../../http/types.js';
import { send, type DavContext } from '../context.js';
import { formatPosixProperty, parsePosixProperty } from '../posix-property.js';
import { preconditionFields } from '../preconditions.js';
import { requireStatus } from '../status.js';
import type { PutOptions, PutResult, Resource, ServerProfile } from '../types.js';

/** PUT of a whole file. The body goes with its length: a chunked one that is cut looks complete to some servers. */
export async function put(
  context: DavContext,
  path: string,
  body: HttpBody,
  options: PutOptions = {},
): Promise<PutResult> {
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
    headers: {
      'content-type': 'application/octet-stream',
      ...conditions,
      ...posixField(profile, options),
    },
    body,
    call: options,
  });
  requireStatus('PUT', path, response, [200, 201, 204]);
  return {
    created: response.status === 201,
    resource: profile.putReturnsResource ? storedResource(response) : undefined,
  };
}

function posixField(profile: ServerProfile, { posix }: PutOptions): Record<string, string> {
  return posix !== undefined && profile.livePosix
    ? { 'davport-posix': formatPosixProperty(posix) }
    : {};
}

/** Our share describes what it stored: `Davport-Posix: size=… mode=… mtime=…` and ETag. */
function storedResource({ headers }: HttpResponse): Resource | undefined {
  const text = headers['davport-posix'];
  const etag = headers.etag;
  const size = /(?:^|\s)size=(\d{1,15})(?:\s|$)/.exec(text ?? '')?.[1];
  if (text === undefined || etag === undefined || size === undefined) return undefined;
  const posix = parsePosixProperty(text);
  return {
    name: '',
    kind: 'file',
    size: Number(size),
    mtime: posix.mtime,
    created: undefined,
    etag,
    executable: posix.mode === undefined ? undefined : (posix.mode & 0o111) !== 0,
    posix,
  };
}
