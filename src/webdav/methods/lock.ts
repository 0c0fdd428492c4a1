import { send, type DavContext } from '../context.js';
import { HttpError, type HttpResponse } from '../../http/types.js';
import { lockBody, XML_CONTENT_TYPE } from '../request-body.js';
import { requireStatus } from '../status.js';
import type { CallOptions, GrantedLock, LockOptions } from '../types.js';

const DEFAULT_TIMEOUT_SEC = 600;

/** A write lock on one resource. Always with a body: one without crashes phodav. */
export async function lock(
  context: DavContext,
  path: string,
  options: CallOptions & LockOptions = {},
): Promise<GrantedLock> {
  await context.profile(options);
  const wanted = options.timeoutSec ?? DEFAULT_TIMEOUT_SEC;
  const response = await send(context, {
    method: 'LOCK',
    path,
    headers: {
      depth: '0',
      timeout: `Second-${wanted}`,
      'content-type': XML_CONTENT_TYPE,
    },
    body: lockBody(options.scope ?? 'exclusive'),
    call: options,
  });
  requireStatus('LOCK', path, response, [200, 201]);
  const token = /^<([^<>\s]+)>$/.exec(response.headers['lock-token']?.trim() ?? '')?.[1];
  if (token === undefined) {
    throw new HttpError('HTTP_PROTOCOL', `LOCK ${path} was answered without a lock token`);
  }
  return { token, created: response.status === 201, timeoutSec: granted(response, wanted) };
}

/** RFC 4918 section 9.10.2. Rejects with DavError 412 when the lock is no more. Not for phodav, which it crashes. Gives the time granted. */
export async function refreshLock(
  context: DavContext,
  path: string,
  token: string,
  options: CallOptions & Pick<LockOptions, 'timeoutSec'> = {},
): Promise<number> {
  const wanted = options.timeoutSec ?? DEFAULT_TIMEOUT_SEC;
  const response = await send(context, {
    method: 'LOCK',
    path,
    headers: { timeout: `Second-${wanted}`, if: `(<${token}>)` },
    call: options,
  });
  requireStatus('LOCK', path, response, [200]);
  return granted(response, wanted);
}

/** The timeout in the lockdiscovery that the answer carries; what was asked for where it can't be read. */
function granted({ body }: HttpResponse, wanted: number): number {
  const seconds = /timeout>\s*second-(\d{1,10})\s*</i.exec(body.toString('utf8'))?.[1];
  return seconds === undefined ? wanted : Math.max(1, Number(seconds));
}

/** Apache answers 204, and keeps the lock, when another of its processes changes its lock database in the same moment. */
const APACHE_UNLOCKS = 3;

export async function unlock(
  context: DavContext,
  path: string,
  token: string,
  call?: CallOptions,
): Promise<void> {
  const profile = await context.profile(call);
  const headers = { 'lock-token': `<${token}>` };
  const response = await send(context, { method: 'UNLOCK', path, headers, call });
  requireStatus('UNLOCK', path, response, [200, 204]);
  if (profile.name !== 'apache') return;
  // Until it says that there is no such lock.
  for (let count = 1; count < APACHE_UNLOCKS; count += 1) {
    const again = await send(context, { method: 'UNLOCK', path, headers, call });
    if (again.status >= 300) return;
  }
}
