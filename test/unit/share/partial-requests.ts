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

export function putPart(
  t: TestShare,
  range: string,
  body: Body,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return t.request('PUT', '/f', { headers: { 'Content-Range': range, ...headers }, body });
}
