/** The common part of PUT with Content-Range and of PATCH: the body as a whole first, then the change, then what the client is told. */
import type { Exchange } from './exchange.js';
import { readExtents } from './extents.js';
import { changeInPlace, inUse, type Extent } from './in-place.js';
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
    const created = await put(write, body, await layoutOf(update, body));
    if (exchange.durable) await syncFile(place);
    if (exchange.durable && created) await syncFolder(place);
    return created;
  } finally {
    body.discard();
  }
}

/** Where the body goes, by the size that the file has then. */
type Layout = (size: number) => readonly Extent[];

async function layoutOf(update: PartialUpdate, body: StagedBody): Promise<Layout> {
  if (update.extents === undefined) return (size) => body.whole(update.startIn(size));
  const told = await readExtents(body, update.extents);
  return () => told;
}

async function put(write: PartialWrite, body: StagedBody, layout: Layout): Promise<boolean> {
  const { exchange, place, update, metadata, check } = write;
  const { context } = exchange;
  for (;;) {
    for (let busy; (busy = inUse(context, place));) await busy;
    // From here to the change in one turn of the loop: no other request comes between.
    check();
    if (place.kind === 'missing') {
      if (await create(write, body, layout(0))) return true;
    } else {
      const extents = layout(Number(place.existing().size));
      await changeInPlace(context, place, { body, extents, size: update.size, metadata });
      return false;
    }
  }
}

/** False: somebody else made it meanwhile. */
async function create(
  write: PartialWrite,
  body: StagedBody,
  extents: readonly Extent[],
): Promise<boolean> {
  const { place, update, metadata, check } = write;
  const { context } = write.exchange;
  const file = new TempFile(context, place);
  try {
    for (const { range, at } of extents) await body.copyTo(file.fd, range, at);
    if (update.size !== undefined) file.truncate(update.size);
    file.setMetadata(metadata);
    for (let busy; (busy = inUse(context, place));) await busy;
    check();
    if (place.kind !== 'missing') return false;
    if (!(await file.commit(place))) return false;
    if (!context.versions.settleNow(place)) await context.versions.settle(place);
    return true;
  } finally {
    file.discard();
  }
}
