/**
 * Dates of WebDAV properties. getlastmodified is an HTTP-date and creationdate an ISO 8601 date (RFC 4918 15.1, 15.7); phodav has
 * them the other way round, so either form is read in either property.
 */
import type { Timespec } from './types.js';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** RFC 9110 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT */
const IMF =
  /^[A-Za-z]{3}, (\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:GMT|UTC|\+0000)$/;
/** RFC 850: Sunday, 06-Nov-94 08:49:37 GMT */
const RFC850 = /^[A-Za-z]+, (\d{2})-([A-Za-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
/** asctime: Sun Nov  6 08:49:37 1994 */
const ASCTIME = /^[A-Za-z]{3} ([A-Za-z]{3}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;
/** RFC 3339: 1994-11-06T08:49:37.123Z */
const ISO =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9})\d*)?(?:[Zz]|([+-])(\d{2}):?(\d{2}))$/;

/** A date in any of the four forms, or undefined. */
export function parseDate(text: string): Timespec | undefined {
  const trimmed = text.trim();
  return parseHttpDate(trimmed) ?? parseIsoDate(trimmed);
}

function parseHttpDate(text: string): Timespec | undefined {
  let match = IMF.exec(text);
  if (match) return toTimespec(+match[3]!, match[2]!, +match[1]!, match, 4);
  match = RFC850.exec(text);
  if (match) return toTimespec(fullYear(+match[3]!), match[2]!, +match[1]!, match, 4);
  match = ASCTIME.exec(text);
  if (match) return toTimespec(+match[6]!, match[1]!, +match[2]!, match, 3);
  return undefined;
}

/** RFC 9110 5.6.7: a two-digit year more than 50 years ahead is in the past. */
function fullYear(twoDigits: number): number {
  const now = new Date().getUTCFullYear();
  const year = now - (now % 100) + twoDigits;
  return year > now + 50 ? year - 100 : year;
}

function toTimespec(
  year: number,
  monthName: string,
  day: number,
  match: RegExpExecArray,
  hourAt: number,
): Timespec | undefined {
  const month = MONTHS.findIndex((name) => name.toLowerCase() === monthName.toLowerCase());
  const [hour, minute, second] = [hourAt, hourAt + 1, hourAt + 2].map((at) => Number(match[at]));
  return fromUtc(year, month, day, hour!, minute!, second!);
}

function fromUtc(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): Timespec | undefined {
  // 60: a leap second.
  if (month < 0 || hour > 23 || minute > 59 || second > 60) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second);
  return { sec: date.getTime() / 1000, nsec: 0 };
}

function parseIsoDate(text: string): Timespec | undefined {
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHours, offsetMinutes] =
    match;
  const time = fromUtc(+year!, +month! - 1, +day!, +hour!, +minute!, +second!);
  if (time === undefined) return undefined;
  const offset = sign === undefined ? 0 : (+offsetHours! * 60 + +offsetMinutes!) * 60;
  return {
    sec: time.sec - (sign === '-' ? -offset : offset),
    nsec: fraction === undefined ? 0 : Number(fraction.padEnd(9, '0')),
  };
}

const DAY_SEC = 86_400;

/** Two digits each, without a call per number: a listing has two dates for each of its members. */
const TWO = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));

function formatClock(sec: number, day: number): string {
  const rest = sec - day * DAY_SEC;
  const minutes = Math.floor(rest / 60);
  return `${TWO[Math.floor(minutes / 60)]}:${TWO[minutes % 60]}:${TWO[rest % 60]}`;
}

/** `format`, which is asked again for the same few days, with its answers kept. */
function rememberDays(format: (date: Date) => string): (day: number) => string {
  const known = new Map<number, string>();
  return (day) => {
    let text = known.get(day);
    if (text === undefined) {
      if (known.size >= 512) known.clear();
      text = format(new Date(day * DAY_SEC * 1000));
      known.set(day, text);
    }
    return text;
  };
}

const httpDay = rememberDays((date) => {
  const day = `${DAYS[date.getUTCDay()]}, ${TWO[date.getUTCDate()]} ${MONTHS[date.getUTCMonth()]}`;
  return `${day} ${String(date.getUTCFullYear()).padStart(4, '0')}`;
});

const isoDay = rememberDays((date) => date.toISOString().replace(/T.*$/, ''));

/** IMF-fixdate, in whole seconds. */
export function formatHttpDate({ sec }: Timespec): string {
  const day = Math.floor(sec / DAY_SEC);
  return `${httpDay(day)} ${formatClock(sec, day)} GMT`;
}

/** ISO 8601 as creationdate has it, with nanoseconds where there are any. */
export function formatIsoDate({ sec, nsec }: Timespec): string {
  const day = Math.floor(sec / DAY_SEC);
  const fraction = nsec === 0 ? '' : `.${String(nsec).padStart(9, '0').replace(/0+$/, '')}`;
  return `${isoDay(day)}T${formatClock(sec, day)}${fraction}Z`;
}
