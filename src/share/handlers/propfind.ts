import { ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { Listing, type Depth } from '../listing.js';
import { parsePreferences } from '../prefer.js';
import { parsePropfind } from '../propfind-request.js';
import { syncFile, syncFolder } from '../temp-file.js';

/** RFC 4918 section 9.1. */
export async function handlePropfind(exchange: Exchange): Promise<void> {
  const depth = parseDepth(exchange.header('depth'));
  const request = parsePropfind(await exchange.smallBody());
  const preferences = parsePreferences(exchange);
  if (depth === '0' && exchange.header('davport-sync') === '1') await syncTarget(exchange);
  await new Listing(exchange, request, preferences.minimal).run(depth, preferences);
}

/** What is told has been on disk before: fsync(2) for who changed nothing just now (doc/EXTENSIONS.md). */
async function syncTarget({ context, target }: Exchange): Promise<void> {
  if (context.options.readOnly) return;
  const place = context.root.locate(target.segments, false);
  try {
    await syncFile(place);
    if (place.kind !== 'collection') await syncFolder(place);
  } finally {
    place.close();
  }
}

function parseDepth(header: string | undefined): Depth {
  const depth = (header ?? 'infinity').trim().toLowerCase();
  if (depth === '0' || depth === '1' || depth === 'infinity') return depth;
  throw new ShareError(400, 'Depth is 0, 1 or infinity');
}
