/** Properties as operands of comparisons and keys of an order: what the client is told of them, with a type. */
import { parseDate } from '../../webdav/http-date.js';
import type { PropertyName } from '../../webdav/types.js';
import type { Context } from '../context.js';
import type { DeadProperties } from '../dead-properties.js';
import { DAV_NS, liveProperty, type Subject } from '../live-properties.js';
import { lockDiscovery } from '../locks/lock-properties.js';
import type { ValueType } from './condition.js';
import { fold } from './fold.js';

/** Times are in seconds since the epoch. */
export type PropertyValue =
  | { readonly type: 'number' | 'time'; readonly value: number }
  | { readonly type: 'text'; readonly value: string };

/** Content of the property as XML; undefined: the resource has no such property. */
export type PropertyContent = (subject: Subject) => string | undefined;

/** Of live properties in DAV:; all others are text. */
const TYPES: Readonly<Record<string, ValueType>> = {
  getcontentlength: 'number',
  getlastmodified: 'time',
  creationdate: 'time',
  'quota-available-bytes': 'number',
  'quota-used-bytes': 'number',
};

export function typeOfProperty({ ns, name }: PropertyName): ValueType {
  return ns === DAV_NS && Object.hasOwn(TYPES, name) ? TYPES[name]! : 'text';
}

/** Looks the property up in the tables, once for a query. */
export type ContentReader = (property: PropertyName) => PropertyContent;

export function contentReader(context: Context): ContentReader {
  const { deadProperties: dead } = context;
  const discovery = lockDiscovery(context);
  return (property) => {
    const live = liveProperty(property);
    if (live) return (subject) => live.value(subject, discovery);
    // No file has dead properties in DAV:.
    return property.ns === DAV_NS ? () => undefined : readDead(property, dead);
  };
}

function readDead(property: PropertyName, dead: DeadProperties): PropertyContent {
  return ({ path, hasDeadProperties }) => {
    if (hasDeadProperties === false) return undefined;
    const element = dead.get(path, property);
    // The markup of attribute values is escaped: the first > ends the tag.
    return element?.slice(element.indexOf('>') + 1, Math.max(element.lastIndexOf('<'), 0));
  };
}

/** Undefined: no such property, or none that can be taken for a value of that type (as what has elements in it). */
export function readValue(content: string | undefined, type: ValueType): PropertyValue | undefined {
  if (content === undefined || content.includes('<')) return undefined;
  return toValue(unescapeXml(content), type);
}

export function toValue(text: string, type: ValueType): PropertyValue | undefined {
  if (type === 'text') return { type, value: text };
  if (type === 'number') return toNumber(text);
  const time = parseDate(text);
  return time && { type, value: time.sec + time.nsec / 1e9 };
}

function toNumber(text: string): PropertyValue | undefined {
  if (!/^\s*[+-]?\d{1,30}(\.\d{1,30})?\s*$/.test(text)) return undefined;
  return { type: 'number', value: Number(text) };
}

/** Negative, zero or positive. REQUIRES: of one type. */
export function compareValues(a: PropertyValue, b: PropertyValue, caseless: boolean): number {
  const [left, right] =
    caseless && a.type === 'text' && b.type === 'text'
      ? [fold(a.value), fold(b.value)]
      : [a.value, b.value];
  return left === right ? 0 : left < right ? -1 : 1;
}

const CHARACTERS: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  '#9': '\t',
  '#10': '\n',
  '#13': '\r',
};

/** What `escapeXml` made. */
function unescapeXml(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&([a-z]+|#\d+);/g,
    (reference, name: string) => CHARACTERS[name] ?? reference,
  );
}
