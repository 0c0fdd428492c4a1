import { send, type DavContext } from '../context.js';
import { encodeSegment, toTarget } from '../href.js';
import { bindBody, XML_CONTENT_TYPE } from '../request-body.js';
import { requireStatus } from '../status.js';
import { storedResource } from '../stored-resource.js';
import type { CallOptions, Resource } from '../types.js';

/** RFC 5842 section 4: what is at `path` gets the further name `name` in `collection`, which nothing has yet (else DavError 412). */
export async function bind(
  context: DavContext,
  collection: string,
  name: string,
  path: string,
  call?: CallOptions,
): Promise<Resource | undefined> {
  await context.profile(call);
  const href = context.http.absoluteUrl(toTarget(context.http.basePath, path));
  const response = await send(context, {
    method: 'BIND',
    path: collection,
    collection: true,
    headers: { 'content-type': XML_CONTENT_TYPE, overwrite: 'F' },
    body: bindBody(encodeSegment(name), href),
    call,
  });
  requireStatus('BIND', collection, response, [201]);
  return storedResource(response);
}
