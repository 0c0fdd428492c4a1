import { send, type DavContext } from '../context.js';
import { HttpError } from '../../http/types.js';
import { lockBody, XML_CONTENT_TYPE } from '../request-body.js';
import { requireStatus } from '../status.js';
import type { CallOptions } from '../types.js';

const DEFAULT_TIMEOUT_SEC = 600;

/** An exclusive write lock on one resource. Always with a body: one without crashes phodav. */
export async function lock(
  context: DavContext,
  path: string,
  options: CallOptions & { timeoutSec?: number } = {},
): Promise<{ token: string; created: boolean }> {
  await context.profile(options);
  const response = await send(context, {
    method: 'LOCK',
    path,
    headers: {
      depth: '0',
      timeout: `Second-${options.timeoutSec ?? DEFAULT_TIMEOUT_SEC}`,
      'content-type': XML_CONTENT_TYPE,
    },
    body: lockBody(),
    call: options,
  });
  requireStatus('LOCK', path, response, [200, 201]);
  const token = /^<([^<>\s]+)>$/.exec(response.headers['lock-token']?.trim() ?? '')?.[1];
  if (token === undefined) {
    throw new HttpError('HTTP_PROTOCOL', `LOCK ${path} was answered without a lock token`);
  }
  return { token, created: response.status === 201 };
}

export async function unlock(
  context: DavContext,
  path: string,
  token: string,
  call?: CallOptions,
): Promise<void> {
  const headers = { 'lock-token': `<${token}>` };
  const response = await send(context, { method: 'UNLOCK', path, headers, call });
  requireStatus('UNLOCK', path, response, [200, 204]);
}
