import type { DavContext } from '../context.js';
import type { AskOptions } from '../change.js';
import { isPhodavInternal } from '../hidden-names.js';
import { nameOf, parentOf } from '../href.js';
import { statProperties, toResource } from '../properties.js';
import { propfindBody } from '../request-body.js';
import { DavError, type Resource, type SyncOptions } from '../types.js';
import { propfindOne } from './propfind.js';
import { syncField } from './put.js';

/** PROPFIND Depth 0. */
export async function stat(
  context: DavContext,
  path: string,
  call: AskOptions & SyncOptions = {},
): Promise<Resource> {
  const profile = await context.profile(call);
  if (profile.name === 'phodav' && isPhodavInternal(parentOf(path), nameOf(path))) {
    throw new DavError('PROPFIND', path, 404);
  }
  const body = propfindBody(statProperties(profile));
  const entry = await propfindOne(context, {
    path,
    body,
    profile,
    call,
    headers: syncField(call),
  });
  if (entry.status !== undefined && entry.status >= 300) {
    throw new DavError('PROPFIND', path, entry.status);
  }
  return toResource(entry, '', profile);
}
