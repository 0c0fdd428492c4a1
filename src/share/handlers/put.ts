import { requireConditions } from '../conditional.js';
import { errnoCode, ShareError, statusOf } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { requireUnlocked } from '../locks/enforcement.js';
import type { StoredMetadata } from '../metadata.js';
import type { Place } from '../place.js';
import { parsePosix } from '../posix-text.js';
import { resourceStates } from '../resource-states.js';
import { storedHeaders } from '../stored-answer.js';
import { syncFolder, TempFile } from '../temp-file.js';
import { announcedLength, collectBody, SMALL_BODY_BYTES, storeBody } from '../upload.js';
import { inUse, isLinked, writeThrough } from '../write-through.js';

/** RFC 9110 section 9.3.4, RFC 4918 section 9.7. */
export async function handlePut(exchange: Exchange): Promise<void> {
  // A partial PUT taken for a whole one would cut the file (RFC 9110 section 14.5).
  if (exchange.header('content-range') !== undefined) {
    throw new ShareError(400, 'PUT with Content-Range');
  }
  const place = locateForWriting(exchange);
  try {
    checkTarget(exchange, place);
    const metadata = parsePosix(exchange.header('davport-posix') ?? '');
    const created = await store(exchange, place, metadata).catch((error: unknown) => {
      throw errnoCode(error) === 'ENOENT' ? folderGone(exchange, error) : error;
    });
    if (!exchange.context.versions.settleNow(place)) await exchange.context.versions.settle(place);
    exchange.respond(created ? 201 : 204, storedHeaders(place));
  } finally {
    place.close();
  }
}

/** The place a request makes or replaces: its folder must be there (RFC 4918 section 9.7.1). */
export function locateForWriting(exchange: Exchange): Place {
  try {
    return exchange.context.root.locate(exchange.target.segments, true);
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    throw new ShareError(409, 'no such parent collection', { cause: error });
  }
}

/** The folder that the place was found in was removed, or the shared folder itself. */
function folderGone(exchange: Exchange, cause: unknown): Error {
  try {
    locateForWriting(exchange).close();
    return new ShareError(409, 'the parent collection was replaced', { cause });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Called before the body and, as things may have changed meanwhile, after it. */
function checkTarget(exchange: Exchange, place: Place): void {
  const { kind } = place;
  if (kind === 'collection' || exchange.target.trailingSlash) {
    throw new ShareError(405, 'PUT of a collection');
  }
  if (kind === 'special' || kind === 'link') {
    throw new ShareError(403, 'neither file nor collection, or a link that is not followed');
  }
  requireConditions('PUT', exchange.req.headers, place.stat, resourceStates(exchange));
  requireUnlocked(exchange, place, 'state');
}

/** Was it new? */
async function store(exchange: Exchange, place: Place, metadata: StoredMetadata): Promise<boolean> {
  const { context } = exchange;
  const length = announcedLength(exchange);
  const small = length !== undefined && length <= SMALL_BODY_BYTES;
  const parts = small ? await collectBody(exchange, length) : [];
  const file = new TempFile(context, place);
  try {
    if (small) for (const part of parts) file.writeNow(part);
    else await storeBody(exchange, file);
    const durable = exchange.durable;
    if (durable) {
      dress(file, place, metadata);
      await file.sync();
    }
    for (let busy = inUse(context, place); busy; busy = inUse(context, place)) await busy;
    // From here to the commit in one turn of the loop: no other request comes between check and change.
    checkTarget(exchange, place);
    if (!durable) dress(file, place, metadata);
    const created = place.kind === 'missing';
    if (isLinked(place)) await writeThrough(context, file.path, place, metadata, durable);
    else await file.commit(place, created && exchange.header('if-none-match') !== undefined);
    if (durable) await syncFolder(place);
    return created;
  } finally {
    file.discard();
  }
}

function dress(file: TempFile, place: Place, metadata: StoredMetadata): void {
  file.inherit(place);
  file.setMetadata(metadata);
}
