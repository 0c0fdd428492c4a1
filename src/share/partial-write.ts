/** The common part of PUT with Content-Range and of PATCH: the body as a whole first, then the change, then what the client is told. */
import { changeInPlace, inUse } from './in-place.js';
import type { Exchange } from './exchange.js';
import type { StoredMetadata } from './metadata.js';
import { checkBodyLength, type PartialUpdate } from './partial-update.js';
import type { Place } from './place.js';
import { StagedBody } from './staged-body.js';
import { syncFile, syncFolder, TempFile } from './temp-file.js';
import { announcedLength } from './upload.js';

export interface PartialWrite {
  readonly exchange: Exchange;
  readonly place: Place;
  readonly update: PartialUpdate;
  readonly metadata: StoredMetadata;
  /** Throws unless `place` is as it must be for this; called once more when the body is there. */
  readonly check: () => void;
}

/** Was it new? */
export async function writePart(write: PartialWrite): Promise<boolean> {
  const { exchange, place, update } = write;
  checkBodyLength(exchange, update, announcedLength(exchange));
  const body = await StagedBody.receive(exchange, place, true);
  try {
    checkBodyLength(exchange, update, body.length);
    const created = await put(write, body);
    if (exchange.durable) await syncFile(place);
    if (exchange.durable && created) await syncFolder(place);
    return created;
  } finally {
    body.discard();
  }
}

async function put(write: PartialWrite, body: StagedBody): Promise<boolean> {
  const { exchange, place, update, metadata, check } = write;
  const { context } = exchange;
  for (;;) {
    for (let busy; (busy = inUse(context, place));) await busy;
    // From here to the change in one turn of the loop: no other request comes between.
    check();
    if (place.kind === 'missing') {
      if (await create(write, body)) return true;
    } else {
      const start = update.startIn(Number(place.existing().size));
      await changeInPlace(context, place, { body, start, size: update.size, metadata });
      return false;
    }
  }
}

/** False: somebody else made it meanwhile. */
async function create(write: PartialWrite, body: StagedBody): Promise<boolean> {
  const { exchange, place, update, metadata, check } = write;
  const { context } = exchange;
  const file = new TempFile(context, place);
  try {
    await body.copyTo(file.fd, { start: 0, end: body.length }, update.startIn(0));
    if (update.size !== undefined) file.truncate(update.size);
    file.setMetadata(metadata);
    for (let busy; (busy = inUse(context, place));) await busy;
    check();
    if (place.kind !== 'missing') return false;
    await file.commit(place, exchange.header('if-none-match') !== undefined);
    if (!context.versions.settleNow(place)) await context.versions.settle(place);
    return true;
  } finally {
    file.discard();
  }
}
