/** The combined log format, which every reader of web server logs knows. */
import type { RequestRecord } from '../share/options.js';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** What nginx says of a client that was gone before its answer; HTTP has no status for it. */
const CLIENT_GONE = 499;

/** `client - - [time] "request line" status bytes "referer" "user agent"`, `-` for what isn't there. */
export function formatAccess(record: RequestRecord, at: Date): string {
  const { client, method, target, httpVersion, status, bytesOut, referer, userAgent } = record;
  const request = method === '' ? '-' : `${quote(`${method} ${target}`)} HTTP/${httpVersion}`;
  return (
    `${client || '-'} - - [${formatTime(at)}] "${request}" ${status || CLIENT_GONE} ${bytesOut || '-'} ` +
    `"${quote(referer) || '-'}" "${quote(userAgent) || '-'}"`
  );
}

/** A client must not be able to end the line or the quotation, nor to send codes to a terminal. */
function quote(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/g, (character) =>
    character === '"' || character === '\\'
      ? `\\${character}`
      : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Of this place, as `19/Nov/2026:08:03:09 +0100`. */
function formatTime(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const east = -at.getTimezoneOffset();
  const zone = `${east < 0 ? '-' : '+'}${two(Math.floor(Math.abs(east) / 60))}${two(Math.abs(east) % 60)}`;
  const date = `${two(at.getDate())}/${MONTHS[at.getMonth()]!}/${at.getFullYear()}`;
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${date}:${time} ${zone}`;
}
