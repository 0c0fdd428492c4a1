import { ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { EXTENTS_TYPE, parseExtentCount } from '../extents.js';
import { PATCH_TYPE, parseSize, parseUpdateRange, type PartialUpdate } from '../partial-update.js';
import { writePart } from '../partial-write.js';
import { requestMetadata } from '../request-metadata.js';
import { storedHeaders } from '../stored-answer.js';
import { checkTarget } from './put.js';

export const ACCEPTED_PATCHES = `${PATCH_TYPE}, ${EXTENTS_TYPE}`;

/** RFC 5789: a part of a file in place, or its length (doc/EXTENSIONS.md). */
export async function handlePatch(exchange: Exchange): Promise<void> {
  const { context, target } = exchange;
  const place = context.root.locate(target.segments, true);
  try {
    const check = (): void => {
      if (place.kind === 'missing') throw new ShareError(404, 'no such resource');
      checkTarget(exchange, place);
    };
    check();
    const update = parseUpdate(exchange);
    await writePart({ exchange, place, update, metadata: requestMetadata(exchange), check });
    exchange.respond(204, storedHeaders(place));
  } finally {
    place.close();
  }
}

function parseUpdate(exchange: Exchange): PartialUpdate {
  const size = parseSize(exchange.header('davport-posix'));
  const range = exchange.header('x-update-range');
  // To set a length nothing needs to be sent.
  if (range === undefined && size !== undefined && !exchange.hasBody) {
    return { length: undefined, size, startIn: () => 0 };
  }
  const [type = ''] = (exchange.header('content-type') ?? '').split(';');
  const format = type.trim().toLowerCase();
  if (format === EXTENTS_TYPE) {
    const extents = parseExtentCount(exchange.header('davport-extents'));
    return { length: undefined, size, extents, startIn: () => 0 };
  }
  if (format !== PATCH_TYPE) {
    const headers = { 'Accept-Patch': ACCEPTED_PATCHES };
    throw new ShareError(415, `PATCH takes ${ACCEPTED_PATCHES}`, { headers });
  }
  if (range === undefined) throw new ShareError(400, 'PATCH without X-Update-Range');
  return parseUpdateRange(range, size);
}
