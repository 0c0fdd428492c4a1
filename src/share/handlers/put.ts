import { requireConditions } from '../conditional.js';
import { errnoCode, ShareError, statusOf } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { changeInPlace, inUse, inUseAsSeen, isLinked } from '../in-place.js';
import { requireUnlocked } from '../locks/enforcement.js';
import type { StoredMetadata } from '../metadata.js';
import { parseContentRange, parseSize } from '../partial-update.js';
import { writePart } from '../partial-write.js';
import type { Place } from '../place.js';
import { acceptedHeaders, requestMetadata } from '../request-metadata.js';
import { resourceStates } from '../resource-states.js';
import { StagedBody } from '../staged-body.js';
import { storedHeaders } from '../stored-answer.js';
import { syncFile, syncFolder, TempFile } from '../temp-file.js';
import { announcedLength, collectBody, SMALL_BODY_BYTES, storeBody } from '../upload.js';

/** RFC 9110 section 9.3.4, RFC 4918 section 9.7. */
export async function handlePut(exchange: Exchange): Promise<void> {
  const place = locateForWriting(exchange);
  try {
    checkTarget(exchange, place);
    const metadata = requestMetadata(exchange);
    const range = exchange.header('content-range');
    const storing =
      range === undefined
        ? store(exchange, place, metadata)
        : storePart(exchange, place, metadata, range);
    const created = await storing.catch((error: unknown) => {
      throw errnoCode(error) === 'ENOENT' ? folderGone(exchange, error) : error;
    });
    const headers = { ...storedHeaders(place), ...acceptedHeaders(exchange) };
    exchange.respond(created ? 201 : 204, headers);
  } finally {
    place.close();
  }
}

/** Taken for a whole one it would cut the file (RFC 9110 section 14.5). */
function storePart(
  exchange: Exchange,
  place: Place,
  metadata: StoredMetadata,
  range: string,
): Promise<boolean> {
  const update = parseContentRange(range, parseSize(exchange.header('davport-posix')));
  const check = (): void => checkTarget(exchange, place);
  return writePart({ exchange, place, update, metadata, check });
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
export function checkTarget(exchange: Exchange, place: Place): void {
  const { kind } = place;
  if (kind === 'collection' || exchange.target.trailingSlash) {
    throw new ShareError(405, `${exchange.method} of a collection`);
  }
  if (kind === 'special' || kind === 'link') {
    throw new ShareError(403, 'neither file nor collection, or a link that is not followed');
  }
  requireConditions(exchange.method, exchange.req.headers, place.stat, resourceStates(exchange));
  requireUnlocked(exchange, place, 'state');
}

/** Was it new? */
async function store(exchange: Exchange, place: Place, metadata: StoredMetadata): Promise<boolean> {
  const length = announcedLength(exchange);
  const small = length !== undefined && length <= SMALL_BODY_BYTES;
  const content = small ? await collectBody(exchange, length) : undefined;
  const file = new TempFile(exchange.context, place, content);
  try {
    if (!content) await storeBody(exchange, file);
    if (exchange.durable) {
      dress(file, place, metadata);
      await file.sync();
    }
    // To make the file with its content was a look at the place.
    if (!content || exchange.durable) place.refresh();
    const created = await putInPlace(exchange, place, file, metadata);
    if (exchange.durable) await syncFolder(place);
    return created;
  } finally {
    file.discard();
  }
}

/** Was it new? REQUIRES: `place` was refreshed in this turn of the loop, unless it is missing. */
async function putInPlace(
  exchange: Exchange,
  place: Place,
  file: TempFile,
  metadata: StoredMetadata,
): Promise<boolean> {
  const { context, durable } = exchange;
  for (;;) {
    for (let busy = inUseAsSeen(context, place); busy; busy = inUse(context, place)) await busy;
    // From here to the commit in one turn of the loop: no other request comes between check and change.
    checkTarget(exchange, place);
    if (!durable) dress(file, place, metadata);
    const created = place.kind === 'missing';
    if (isLinked(place)) {
      await replaceInPlace(exchange, place, file, metadata);
      return false;
    }
    if (!(await file.commit(place))) continue;
    if (!context.versions.settleNow(place)) await context.versions.settle(place);
    return created;
  }
}

function dress(file: TempFile, place: Place, metadata: StoredMetadata): void {
  file.inherit(place);
  file.setMetadata(metadata);
}

/** A rename would give the new content to one of the names only. */
async function replaceInPlace(
  { context, durable }: Exchange,
  place: Place,
  file: TempFile,
  metadata: StoredMetadata,
): Promise<void> {
  const body = StagedBody.ofFile(file.fd);
  await changeInPlace(context, place, {
    body,
    extents: body.whole(0),
    size: body.length,
    metadata,
  });
  if (durable) await syncFile(place);
}
