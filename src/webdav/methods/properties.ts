import type { DavContext } from '../context.js';
import { propertyKey } from '../properties.js';
import { allpropBody, propfindBody, propnameBody } from '../request-body.js';
import { DavError, type CallOptions, type PropertyName, type Quota } from '../types.js';
import type { MultistatusEntry } from '../multistatus.js';
import { fromPhodavValue } from '../phodav-values.js';
import { propfindOne } from './propfind.js';

/** Text of named properties; what the resource doesn't have is missing. */
export async function properties(
  context: DavContext,
  path: string,
  names: readonly PropertyName[],
  call?: CallOptions,
): Promise<Map<string, string>> {
  if (names.length === 0) return new Map();
  const profile = await context.profile(call);
  const { properties: told } = await ask(context, path, propfindBody(names), call);
  const wanted = new Set(names.map(propertyKey));
  const found = [...told].filter(([key]) => wanted.has(key));
  return new Map(
    profile.name === 'phodav' ? found.map(([key, text]) => [key, fromPhodavValue(text)]) : found,
  );
}

/** Names of all properties that the resource has. */
export async function propertyNames(
  context: DavContext,
  path: string,
  call?: CallOptions,
): Promise<PropertyName[]> {
  const profile = await context.profile(call);
  // phodav takes propname for allprop with no properties in it.
  const body = profile.name === 'phodav' ? allpropBody() : propnameBody();
  const { properties: told } = await ask(context, path, body, call);
  return [...told.keys()].map(toName);
}

function toName(key: string): PropertyName {
  const space = key.lastIndexOf(' ');
  return { ns: key.slice(0, space), name: key.slice(space + 1) };
}

const QUOTA_AVAILABLE = { ns: 'DAV:', name: 'quota-available-bytes' };
const QUOTA_USED = { ns: 'DAV:', name: 'quota-used-bytes' };

/** RFC 4331. */
export async function quota(context: DavContext, path: string, call?: CallOptions): Promise<Quota> {
  const profile = await context.profile(call);
  if (!profile.quota) return { availableBytes: undefined, usedBytes: undefined };
  // phodav sums up the whole tree for quota-used-bytes.
  const names = profile.name === 'phodav' ? [QUOTA_AVAILABLE] : [QUOTA_AVAILABLE, QUOTA_USED];
  const told = await properties(context, path, names, call);
  return {
    availableBytes: toBytes(told.get(propertyKey(QUOTA_AVAILABLE))),
    usedBytes: toBytes(told.get(propertyKey(QUOTA_USED))),
  };
}

/** Negative: some servers' way to say unlimited or unknown. */
function toBytes(text: string | undefined): number | undefined {
  const value = Number(text?.trim() === '' ? NaN : text);
  return Number.isFinite(value) && value >= 0 ? Math.trunc(value) : undefined;
}

async function ask(
  context: DavContext,
  path: string,
  body: Buffer,
  call: CallOptions | undefined,
): Promise<MultistatusEntry> {
  const profile = await context.profile(call);
  const entry = await propfindOne(context, { path, body, profile, call });
  if (entry.status !== undefined && entry.status >= 300) {
    throw new DavError('PROPFIND', path, entry.status);
  }
  return entry;
}
