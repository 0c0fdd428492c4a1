import { STATUS_CODES } from 'node:http';

/** Content of DAV:status (RFC 4918 section 14.28). */
export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
}
