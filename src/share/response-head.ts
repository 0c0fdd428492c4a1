import type { ServerResponse } from 'node:http';
import { SERVER } from './server-name.js';

/** Fields of a response. */
export type Headers = Readonly<Record<string, string | number>>;

/** THE way to send a head. No two of `groups` name the same field. `length`: of the body, where it is known and told. */
export function writeHead(
  res: ServerResponse,
  status: number,
  groups: readonly Headers[],
  length?: number,
): void {
  // A flat list is what node:http has least to do with; to put one object together of others costs more than all the rest.
  const fields: (string | number)[] = ['Server', SERVER];
  for (const group of groups) for (const name in group) fields.push(name, group[name]!);
  if (length !== undefined) fields.push('Content-Length', length);
  res.writeHead(status, fields);
}
