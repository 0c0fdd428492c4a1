/**
 * Several parts of a file in one body (doc/EXTENSIONS.md): a table of 16 bytes for each of them, where it goes in the file and how long it
 * is (both 64 bits, the highest byte first), and behind the table their bytes in the same order.
 */
import { ShareError } from './errors.js';
import type { Extent } from './in-place.js';
import type { StagedBody } from './staged-body.js';

export const EXTENTS_TYPE = 'application/x-davport-extents';

const ENTRY_BYTES = 16;
/** The table is read into memory. */
const MAX_EXTENTS = 16_384;
/** As with all offsets here: those beyond are beyond all files. */
const MAX_OFFSET = 10n ** 15n;

/** The field Davport-Extents. */
export function parseExtentCount(header: string | undefined): number {
  if (header === undefined || !/^\d{1,9}$/.test(header.trim())) throw malformed();
  const count = Number(header);
  if (count > MAX_EXTENTS) throw new ShareError(413, `more than ${MAX_EXTENTS} extents`);
  return count;
}

/** What the table says. They have to ascend without overlapping, and to be exactly what is in the body. */
export async function readExtents(body: StagedBody, count: number): Promise<readonly Extent[]> {
  const tableBytes = count * ENTRY_BYTES;
  if (body.length < tableBytes) throw malformed();
  const table = await body.read({ start: 0, end: tableBytes });
  const extents: Extent[] = [];
  let at = tableBytes;
  let free = 0n;
  for (let entry = 0; entry < tableBytes; entry += ENTRY_BYTES) {
    const offset = table.readBigUInt64BE(entry);
    const length = table.readBigUInt64BE(entry + 8);
    const end = offset + length;
    if (length === 0n || offset < free || end > MAX_OFFSET) throw malformed();
    free = end;
    extents.push({ range: { start: at, end: at + Number(length) }, at: Number(offset) });
    at += Number(length);
  }
  if (at !== body.length) throw malformed();
  return extents;
}

function malformed(): ShareError {
  return new ShareError(400, 'the table of extents is malformed, or not what is in the body');
}
