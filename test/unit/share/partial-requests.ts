/** Requests that change a part of the file /f. */
import type { Answer, TestShare } from './fixture.js';

export const PATCH_TYPE = 'application/x-sabredav-partialupdate';

type Body = string | Buffer;

export function patch(
  t: TestShare,
  range: string | undefined,
  body?: Body,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const given = {
    'Content-Type': PATCH_TYPE,
    ...(range === undefined ? {} : { 'X-Update-Range': range }),
    ...headers,
  };
  return t.request('PATCH', '/f', { headers: given, ...(body === undefined ? {} : { body }) });
}

export const EXTENTS_TYPE = 'application/x-davport-extents';

export type Part = readonly [at: number, bytes: string | Buffer];

export function extentsBody(parts: readonly Part[]): Buffer {
  const pieces = parts.map(([, bytes]) => Buffer.from(bytes as string));
  const table = Buffer.alloc(parts.length * 16);
  for (const [index, [at]] of parts.entries()) {
    table.writeBigUInt64BE(BigInt(at), index * 16);
    table.writeBigUInt64BE(BigInt(pieces[index]!.length), index * 16 + 8);
  }
  return Buffer.concat([table, ...pieces]);
}

export function patchExtents(
  t: TestShare,
  parts: readonly Part[],
  headers: Record<string, string> = {},
  body = extentsBody(parts),
): Promise<Answer> {
  const given = {
    'Content-Type': EXTENTS_TYPE,
    'Davport-Extents': String(parts.length),
    ...headers,
  };
  return t.request('PATCH', '/f', { headers: given, body });
}

export function putPart(
  t: TestShare,
  range: string,
  body: Body,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return t.request('PUT', '/f', { headers: { 'Content-Range': range, ...headers }, body });
}
