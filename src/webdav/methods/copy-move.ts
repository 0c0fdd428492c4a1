import { send, type DavContext } from '../context.js';
import { toTarget } from '../href.js';
import { destinationFields, sourceFields } from '../preconditions.js';
import { requireStatus } from '../status.js';
import { storedResource } from '../stored-resource.js';
import type { CallOptions, CopyOptions, MoveOptions, Resource } from '../types.js';

export function copy(
  context: DavContext,
  from: string,
  to: string,
  options: CallOptions & CopyOptions = {},
): Promise<Resource | undefined> {
  return transfer(context, 'COPY', from, to, options);
}

export function move(
  context: DavContext,
  from: string,
  to: string,
  options: CallOptions & MoveOptions = {},
): Promise<Resource | undefined> {
  return transfer(context, 'MOVE', from, to, options);
}

async function transfer(
  context: DavContext,
  method: 'COPY' | 'MOVE',
  from: string,
  to: string,
  options: CallOptions & CopyOptions,
): Promise<Resource | undefined> {
  const profile = await context.profile(options);
  // A path alone is allowed (RFC 4918 10.3), but phodav answers it with 404.
  const url = context.http.absoluteUrl(toTarget(context.http.basePath, to));
  const { sourceEtag, destinationEtag } = options;
  const request = { method, precondition: undefined, call: options };
  const ofDestination =
    destinationEtag === undefined
      ? {}
      : await destinationFields(context, profile, {
          ...request,
          path: to,
          destination: url,
          etag: destinationEtag,
        });
  const ofSource =
    sourceEtag === undefined
      ? {}
      : await sourceFields(context, profile, {
          ...request,
          path: from,
          etag: sourceEtag,
          ifIsTaken: 'if' in ofDestination,
        });
  const response = await send(context, {
    method,
    path: from,
    destination: to,
    headers: {
      destination: url,
      overwrite: options.overwrite === false ? 'F' : 'T',
      ...ofDestination,
      ...ofSource,
    },
    call: options,
  });
  requireStatus(method, from, response, [200, 201, 204]);
  return storedResource(response);
}
