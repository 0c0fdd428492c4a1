import { send, type DavContext } from '../context.js';
import { preconditionFields } from '../preconditions.js';
import { requireStatus } from '../status.js';
import type { PutOptions } from '../types.js';

/**
 * PUT with Content-Range (RFC 9110 section 14.5), as mod_dav has it: the bytes are written into the file. A server that doesn't know it
 * replaces the whole file by the part: see `WebDavClient.putRange`.
 */
export async function putRange(
  context: DavContext,
  path: string,
  start: number,
  bytes: Uint8Array,
  options: PutOptions = {},
): Promise<void> {
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
      'content-range': `bytes ${start}-${start + bytes.length - 1}/*`,
      ...conditions,
    },
    body: bytes,
    call: options,
  });
  requireStatus('PUT', path, response, [200, 201, 204]);
}
