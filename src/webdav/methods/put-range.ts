import type { DavContext } from '../context.js';
import type { PutOptions } from '../types.js';
import { sendPut } from './put.js';

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
  const range = `bytes ${start}-${start + bytes.length - 1}/*`;
  await sendPut(context, path, bytes, { 'content-range': range }, options);
}
