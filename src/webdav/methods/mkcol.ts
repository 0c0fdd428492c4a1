import { send, type DavContext } from '../context.js';
import { requireStatus } from '../status.js';
import { storedResource } from '../stored-resource.js';
import type { CallOptions, PutOptions, Resource } from '../types.js';
import { posixField } from './put.js';

export async function mkcol(
  context: DavContext,
  path: string,
  options: CallOptions & Pick<PutOptions, 'posix'> = {},
): Promise<Resource | undefined> {
  const profile = await context.profile(options);
  const headers = posixField(profile, options);
  const response = await send(context, {
    method: 'MKCOL',
    path,
    collection: true,
    headers,
    call: options,
  });
  requireStatus('MKCOL', path, response, [201]);
  return storedResource(response);
}
