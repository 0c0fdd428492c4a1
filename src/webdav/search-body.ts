/** The body of a SEARCH: DAV:basicsearch (RFC 5323 section 5). */
import { formatHttpDate, formatIsoDate } from './http-date.js';
import { element, toBytes } from './request-body.js';
import { POSIX } from './properties.js';
import type { PropertyName, SearchComparison, SearchCondition, ServerProfile } from './types.js';
import { escapeText } from './xml-references.js';

export interface SearchBody {
  readonly select: readonly PropertyName[];
  /** Href. */
  readonly scope: string;
  readonly where: SearchCondition | undefined;
  readonly limit: number | undefined;
  readonly profile: ServerProfile;
}

const dav = (name: string): PropertyName => ({ ns: 'DAV:', name });

const DISPLAY_NAME = dav('displayname');
const LENGTH = dav('getcontentlength');

export function searchBody({ select, scope, where, limit, profile }: SearchBody): Buffer {
  const names = select.map((name) => element(name)).join('');
  const from = `<D:scope><D:href>${escapeText(scope)}</D:href><D:depth>infinity</D:depth></D:scope>`;
  const condition = where ? `<D:where>${format(where, profile)}</D:where>` : '';
  const most = limit === undefined ? '' : `<D:limit><D:nresults>${limit}</D:nresults></D:limit>`;
  return toBytes(
    '<D:searchrequest xmlns:D="DAV:"><D:basicsearch>' +
      `<D:select><D:prop>${names}</D:prop></D:select><D:from>${from}</D:from>` +
      `${condition}${most}</D:basicsearch></D:searchrequest>`,
  );
}

function format(condition: SearchCondition, profile: ServerProfile): string {
  switch (condition.op) {
    case 'and':
    case 'or':
      return operator(condition.op, ...condition.operands.map((one) => format(one, profile)));
    case 'not':
      return operator('not', format(condition.operand, profile));
    case 'name':
      return like(DISPLAY_NAME, globToLike(condition.pattern));
    case 'size':
      return size(condition.is, condition.bytes, profile);
    case 'modified':
      return compare(
        condition.is,
        dav('getlastmodified'),
        formatHttpDate({ sec: condition.sec, nsec: 0 }),
      );
    case 'created':
      return compare(
        condition.is,
        dav('creationdate'),
        formatIsoDate({ sec: condition.sec, nsec: 0 }),
      );
    case 'type':
      return type(condition.type, profile);
    case 'content':
      return `<D:contains>${escapeText(condition.text)}</D:contains>`;
  }
}

/** A link has a length, too, where the server tells links: that of its target. */
function size(is: SearchComparison, bytes: number, profile: ServerProfile): string {
  const length = compare(is, LENGTH, String(bytes));
  return profile.livePosix ? operator('and', fileType('10'), length) : length;
}

function type(wanted: 'file' | 'collection' | 'link', profile: ServerProfile): string {
  if (wanted === 'collection') return operator('is-collection');
  if (wanted === 'link') return fileType('12');
  // Where the property isn't told of every resource, what is no collection is a file.
  return profile.livePosix ? fileType('10') : operator('not', operator('is-collection'));
}

/** By the first digits of the mode, which is one of the words of the property, anywhere in it. */
function fileType(digits: string): string {
  const mode = `mode=${digits}____`;
  return operator('or', like(POSIX, `${mode}%`), like(POSIX, `% ${mode}%`));
}

function operator(name: string, ...operands: readonly string[]): string {
  return operands.length === 0 ? `<D:${name}/>` : `<D:${name}>${operands.join('')}</D:${name}>`;
}

function compare(is: SearchComparison, property: PropertyName, value: string): string {
  const literal = `<D:literal>${escapeText(value)}</D:literal>`;
  return `<D:${is}><D:prop>${element(property)}</D:prop>${literal}</D:${is}>`;
}

function like(property: PropertyName, pattern: string): string {
  const literal = `<D:literal>${escapeText(pattern)}</D:literal>`;
  return `<D:like caseless="yes"><D:prop>${element(property)}</D:prop>${literal}</D:like>`;
}

function globToLike(glob: string): string {
  const escape = (text: string): string => text.replace(/[%_\\]/g, '\\$&');
  return glob.replace(/\\(.)|[*?]|[^\\*?]+|\\/gsu, (part, quoted?: string) => {
    if (quoted !== undefined) return escape(quoted);
    return part === '*' ? '%' : part === '?' ? '_' : escape(part);
  });
}
