import { send, type DavContext } from '../context.js';
import { preconditionFields } from '../preconditions.js';
import { requireStatus } from '../status.js';
import type { RemoveOptions } from '../types.js';

export async function remove(
  context: DavContext,
  path: string,
  options: RemoveOptions = {},
): Promise<void> {
  const profile = await context.profile(options);
  const fields = await preconditionFields(context, profile, {
    method: 'DELETE',
    path,
    precondition: options.precondition,
    call: options,
  });
  const headers = options.onlyEmpty === true ? { ...fields, depth: '0' } : fields;
  const response = await send(context, { method: 'DELETE', path, headers, call: options });
  requireStatus('DELETE', path, response, [200, 202, 204]);
}
