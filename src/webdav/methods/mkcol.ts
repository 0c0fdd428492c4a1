import { send, type DavContext } from '../context.js';
import { requireStatus } from '../status.js';
import { storedResource } from '../stored-resource.js';
import type { CallOptions, Resource } from '../types.js';

export async function mkcol(
  context: DavContext,
  path: string,
  call?: CallOptions,
): Promise<Resource | undefined> {
  await context.profile(call);
  const response = await send(context, { method: 'MKCOL', path, collection: true, call });
  requireStatus('MKCOL', path, response, [201]);
  return storedResource(response);
}
