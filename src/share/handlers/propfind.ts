import { ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { Listing, type Depth } from '../listing.js';
import { parsePreferences } from '../prefer.js';
import { parsePropfind } from '../propfind-request.js';

/** RFC 4918 section 9.1. */
export async function handlePropfind(exchange: Exchange): Promise<void> {
  const depth = parseDepth(exchange.header('depth'));
  const request = parsePropfind(await exchange.smallBody());
  const preferences = parsePreferences(exchange);
  await new Listing(exchange, request, preferences.minimal).run(depth, preferences);
}

function parseDepth(header: string | undefined): Depth {
  const depth = (header ?? 'infinity').trim().toLowerCase();
  if (depth === '0' || depth === '1' || depth === 'infinity') return depth;
  throw new ShareError(400, 'Depth is 0, 1 or infinity');
}
