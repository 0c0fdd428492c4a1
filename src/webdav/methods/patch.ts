import type { HttpBody } from '../../http/types.js';
import { send, type DavContext } from '../context.js';
import { preconditionFields } from '../preconditions.js';
import { takesExtents } from '../server-profile.js';
import { requireStatus } from '../status.js';
import { storedResource } from '../stored-resource.js';
import {
  DavError,
  type BytePart,
  type PatchOptions,
  type PutResult,
  type ServerProfile,
} from '../types.js';
import { posixField, syncField } from './put.js';

/** One part: the bytes themselves. */
const PART_TYPE = 'application/x-sabredav-partialupdate';
/** Several: behind a table (doc/EXTENSIONS.md). */
const EXTENTS_TYPE = 'application/x-davport-extents';
const ENTRY_BYTES = 16;

/** RFC 5789, as SabreDAV and our own share have it. */
export async function patch(
  context: DavContext,
  path: string,
  parts: readonly BytePart[],
  body: HttpBody | undefined,
  options: PatchOptions = {},
): Promise<PutResult> {
  const profile = await context.profile(options);
  if (parts.length !== 1 && !takesExtents(profile)) {
    const message = 'this server takes one part by one request';
    throw new DavError('PATCH', path, 501, { message });
  }
  const conditions = await preconditionFields(context, profile, {
    method: 'PATCH',
    path,
    precondition: options.precondition,
    call: options,
  });
  const response = await send(context, {
    method: 'PATCH',
    path,
    headers: {
      ...partsFields(parts),
      ...conditions,
      ...sizedPosixField(profile, options),
      ...syncField(options),
    },
    ...(body !== undefined && { body: parts.length > 1 ? withTable(parts, body) : body }),
    priority: 'bulk',
    call: options,
  });
  requireStatus('PATCH', path, response, [200, 201, 204]);
  return {
    created: response.status === 201,
    resource: profile.putReturnsResource ? storedResource(response) : undefined,
  };
}

/** None: only the length changes, mode or times. */
function partsFields(parts: readonly BytePart[]): Record<string, string> {
  const [first] = parts;
  if (first === undefined) return {};
  if (parts.length > 1) {
    return { 'content-type': EXTENTS_TYPE, 'davport-extents': String(parts.length) };
  }
  return { 'content-type': PART_TYPE, 'x-update-range': `bytes=${first.start}-${first.end - 1}` };
}

function sizedPosixField(profile: ServerProfile, options: PatchOptions): Record<string, string> {
  const { size } = options;
  const field = posixField(profile, options);
  if (size === undefined || !profile.livePosix) return field;
  return { 'davport-posix': `size=${size} ${field['davport-posix'] ?? ''}`.trimEnd() };
}

function withTable(parts: readonly BytePart[], body: HttpBody): HttpBody {
  const table = Buffer.alloc(parts.length * ENTRY_BYTES);
  for (const [index, { start, end }] of parts.entries()) {
    table.writeBigUInt64BE(BigInt(start), index * ENTRY_BYTES);
    table.writeBigUInt64BE(BigInt(end - start), index * ENTRY_BYTES + 8);
  }
  if (body instanceof Uint8Array) return Buffer.concat([table, body]);
  return {
    size: body.size === undefined ? undefined : table.length + body.size,
    async *open() {
      yield table;
      yield* body.open();
    },
  };
}
