import { setTimeout as sleep } from 'node:timers/promises';
import { send, type DavContext } from '../context.js';
import { HttpError, type HttpResponse } from '../../http/types.js';
import { lockBody, propfindBody, XML_CONTENT_TYPE } from '../request-body.js';
import { requireStatus } from '../status.js';
import { DavError, type CallOptions, type GrantedLock, type LockOptions } from '../types.js';

const DEFAULT_TIMEOUT_SEC = 600;
/** So long after its answer it is looked whether a lock of Apache's was kept: so much, and so many times what the answer took. */
const KEPT_AFTER_MS = 30;
const KEPT_AFTER_TIMES = 3;

/** A write lock on one resource; DavError 423: somebody else has one. Always with a body: one without crashes phodav. */
export async function lock(
  context: DavContext,
  path: string,
  options: CallOptions & LockOptions = {},
): Promise<GrantedLock> {
  const profile = await context.profile(options);
  const wanted = options.timeoutSec ?? DEFAULT_TIMEOUT_SEC;
  const began = performance.now();
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
  const created = response.status === 201;
  if (profile.name === 'apache' && !created) {
    // Another one's takes about as long, and may be at its end only when ours has been answered.
    const tookMs = performance.now() - began;
    await sleep(KEPT_AFTER_MS + KEPT_AFTER_TIMES * tookMs);
    await requireKept(context, path, token, options);
  }
  return { token, created, timeoutSec: granted(response, wanted) };
}

/**
 * Two who ask Apache in the same moment are both told that they have the lock (15 times of 400), and the later one takes the other's place in its
 * database.
 */
async function requireKept(
  context: DavContext,
  path: string,
  token: string,
  options: CallOptions & LockOptions,
): Promise<void> {
  try {
    if (await isKept(context, path, token, options)) return;
    throw new DavError('LOCK', path, 423, { message: `LOCK ${path}: granted to another as well` });
  } catch (error) {
    // Nobody would know of it.
    await unlock(context, path, token, options).catch(() => undefined);
    throw error;
  }
}

async function isKept(
  context: DavContext,
  path: string,
  token: string,
  options: CallOptions & LockOptions,
): Promise<boolean> {
  const response = await send(context, {
    method: 'PROPFIND',
    path,
    headers: { depth: '0', 'content-type': XML_CONTENT_TYPE },
    body: propfindBody([{ ns: 'DAV:', name: 'lockdiscovery' }]),
    call: options,
  });
  requireStatus('PROPFIND', path, response, [207]);
  const text = response.body.toString('utf8');
  const locks = text.match(/<(?:[\w.-]+:)?activelock[\s>]/g)?.length ?? 0;
  return text.includes(token) && (locks === 1 || options.scope === 'shared');
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
