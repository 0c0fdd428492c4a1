import { send, type DavContext } from '../context.js';
import { requireStatus } from '../status.js';
import type { CallOptions } from '../types.js';

export async function mkcol(context: DavContext, path: string, call?: CallOptions): Promise<void> {
  await context.profile(call);
  const response = await send(context, { method: 'MKCOL', path, collection: true, call });
  requireStatus('MKCOL', path, response, [201]);
}
