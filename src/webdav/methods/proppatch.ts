import { send, type DavContext } from '../context.js';
import { toPhodavValue } from '../phodav-values.js';
import { proppatchBody, XML_CONTENT_TYPE } from '../request-body.js';
import { requireStatus, throwFailedPart } from '../status.js';
import { storedResource } from '../stored-resource.js';
import type { CallOptions, PropertyChange, Resource } from '../types.js';

/** Changes properties in the order given: in one request, all or nothing, where the server can. */
export async function proppatch(
  context: DavContext,
  path: string,
  changes: readonly PropertyChange[],
  call?: CallOptions,
): Promise<Resource | undefined> {
  if (changes.length === 0) return undefined;
  const profile = await context.profile(call);
  const requests = profile.name === 'phodav' ? changes.map(toPhodavChanges) : [changes];
  let stored: Resource | undefined;
  for (const request of requests) stored = await sendChanges(context, path, request, call);
  return stored;
}

/**
 * phodav looks at the first property of each instruction only, so each change is a request. One that has nothing but a removal
 * crashes it, and with it the user's viewer; a property that was set just before is removed well.
 */
function toPhodavChanges(change: PropertyChange): PropertyChange[] {
  const { value } = change;
  if (value === undefined) return [{ ...change, value: '' }, change];
  return [{ ...change, value: toPhodavValue(value) }];
}

async function sendChanges(
  context: DavContext,
  path: string,
  changes: readonly PropertyChange[],
  call: CallOptions | undefined,
): Promise<Resource | undefined> {
  const response = await send(context, {
    method: 'PROPPATCH',
    path,
    headers: { 'content-type': XML_CONTENT_TYPE },
    body: proppatchBody(changes),
    call,
  });
  requireStatus('PROPPATCH', path, response, [207, 200, 204]);
  if (response.status === 207) throwFailedPart('PROPPATCH', path, response.body);
  return storedResource(response);
}
