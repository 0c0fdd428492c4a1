import { send, type DavContext } from '../context.js';
import { identifyServer } from '../server-profile.js';
import { toDavError } from '../status.js';
import type { CallOptions, ServerProfile } from '../types.js';

export async function options(
  context: Pick<DavContext, 'http' | 'log'>,
  call?: CallOptions,
): Promise<ServerProfile> {
  const request = { method: 'OPTIONS', path: '', call };
  const response = await send(context as DavContext, request);
  if (response.status < 200 || response.status >= 300) throw toDavError('OPTIONS', '', response);
  return identifyServer(response);
}
