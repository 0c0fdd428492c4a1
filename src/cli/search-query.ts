/** The query language of `davport search`: words that must all hold → conditions for a server. */
import { UsageError } from '../errors.js';
import type { SearchComparison, SearchCondition } from '../webdav/types.js';
import { nearest } from '../fuse/nearest.js';

export interface ParsedQuery {
  /** Undefined: everything. */
  readonly where: SearchCondition | undefined;
  /** Names of the folder to look in, below where the search begins. */
  readonly folder: readonly string[];
}

/** For --help. */
export const QUERY_HELP: readonly (readonly [string, string])[] = [
  ['WORD, "TWO WORDS"', 'the name has it in it'],
  ['*.c, name:NAME', 'the whole name, with * for any characters and ? for one'],
  ['size:>10M', 'of files: <, <=, >, >=, or the size itself; k, M, G, T are powers of 1024'],
  ['modified:<7d', 'changed in the last 7 days; >1y longer ago; min, h, d, w, y'],
  ['modified:2024-05-01', 'changed on that day; <, <=, >, >= before and after it'],
  ['created:…', 'as modified'],
  ['type:dir', 'file, dir or link'],
  ['content:"any text"', 'a file with that text in it'],
  ['in:sub/folder', 'only below that folder'],
  ['-TERM', 'not so: -type:dir, -name:*.o'],
];

interface Term {
  readonly text: string;
  readonly negated: boolean;
  /** Length of what stands before the first quotation mark: a key is never quoted. */
  readonly plain: number;
}

/** `now`: ms since the epoch. */
export function parseQuery(query: string, now: number): ParsedQuery {
  const terms = splitTerms(query);
  if (terms.length === 0) throw new UsageError('the query is empty; for example: name:*.txt');
  const conditions: SearchCondition[] = [];
  let folder: string[] | undefined;
  for (const term of terms) {
    const { key, value } = keyOf(term);
    if (key === 'in') {
      if (term.negated || folder) throw new UsageError('in: is said once, and never negated');
      folder = folderNames(value);
    } else {
      const condition = toCondition(key, value, now);
      conditions.push(term.negated ? { op: 'not', operand: condition } : condition);
    }
  }
  const where = conditions.length > 1 ? all(conditions) : conditions[0];
  return { where, folder: folder ?? [] };
}

function all(operands: readonly SearchCondition[]): SearchCondition {
  return { op: 'and', operands };
}

/** Words of anything but spaces; between quotation marks everything belongs to the word, and a backslash takes what follows as it is. */
function splitTerms(query: string): Term[] {
  const terms: Term[] = [];
  let text: string | undefined;
  let plain = Infinity;
  let quoted = false;
  // The space at the end ends the last word.
  for (const [part] of `${query} `.matchAll(/\\?./gsu)) {
    if (part === '"') {
      quoted = !quoted;
      text ??= '';
      plain = Math.min(plain, text.length);
    } else if (quoted) {
      text = (text ?? '') + part.replace(/^\\(?=.)/su, '');
    } else if (/\S/.test(part)) {
      text = (text ?? '') + part;
    } else if (text !== undefined) {
      terms.push(toTerm(text, plain));
      text = undefined;
      plain = Infinity;
    }
  }
  if (quoted) throw new UsageError('a quotation mark in the query has no partner');
  return terms;
}

function toTerm(text: string, plain: number): Term {
  if (text === '') throw new UsageError('a term of the query is empty');
  const negated = plain > 0 && text.length > 1 && text.startsWith('-');
  return negated ? { text: text.slice(1), negated, plain: plain - 1 } : { text, negated, plain };
}

const KEYS = ['name', 'size', 'modified', 'created', 'type', 'content', 'in'] as const;
type Key = (typeof KEYS)[number] | 'word';

function keyOf({ text, plain }: Term): { key: Key; value: string } {
  const colon = text.slice(0, plain).indexOf(':');
  if (colon < 0) return { key: /[*?]/.test(text.slice(0, plain)) ? 'name' : 'word', value: text };
  const key = text.slice(0, colon);
  const value = text.slice(colon + 1);
  const known = KEYS.find((one) => one === key);
  if (known && value !== '') return { key: known, value };
  if (known) throw new UsageError(`${key}: has no value`);
  const guess = nearest(key, KEYS);
  const hint = guess === undefined ? `there are ${KEYS.join(', ')}` : `did you mean ${guess}:?`;
  throw new UsageError(`no such term as ${key}:; ${hint} (a name with a colon: "${text}")`);
}

function toCondition(key: Exclude<Key, 'in'>, value: string, now: number): SearchCondition {
  switch (key) {
    case 'word':
      return { op: 'name', pattern: `*${value.replace(/[*?\\]/g, '\\$&')}*` };
    case 'name':
      return { op: 'name', pattern: value };
    case 'content':
      return { op: 'content', text: value };
    case 'type':
      return { op: 'type', type: toType(value) };
    case 'size':
      return toSize(value);
    case 'modified':
    case 'created':
      return toTime(key, value, now);
  }
}

const TYPES = { file: 'file', dir: 'collection', folder: 'collection', link: 'link' } as const;

function toType(value: string): 'file' | 'collection' | 'link' {
  if (Object.hasOwn(TYPES, value)) return TYPES[value as keyof typeof TYPES];
  throw new UsageError(`type: is file, dir or link, not "${value}"`);
}

const OPERATORS: Readonly<Record<string, SearchComparison>> = {
  '': 'eq',
  '=': 'eq',
  '<': 'lt',
  '<=': 'lte',
  '>': 'gt',
  '>=': 'gte',
};

function toSize(value: string): SearchCondition {
  const match = /^([<>]=?|=)?(\d{1,15}(?:\.\d{1,9})?)([kmgt]?)(?:i?b)?$/i.exec(value);
  if (!match) throw new UsageError(`size:${value}: write it as size:>10M or size:<=500k`);
  const power = ' kmgt'.indexOf(match[3]!.toLowerCase() || ' ');
  const bytes = Math.round(Number(match[2]) * 1024 ** power);
  if (!Number.isSafeInteger(bytes)) throw new UsageError(`size:${value} is too much`);
  return { op: 'size', is: OPERATORS[match[1] ?? '']!, bytes };
}

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  min: 60,
  h: 3600,
  d: 86_400,
  w: 7 * 86_400,
  y: 365 * 86_400,
};

/** Older is a smaller time: an age compares the other way round. */
const OF_AGE: Readonly<Record<string, SearchComparison>> = {
  '': 'gte',
  '<': 'gt',
  '<=': 'gte',
  '>': 'lt',
  '>=': 'lte',
};

function toTime(op: 'modified' | 'created', value: string, now: number): SearchCondition {
  const age = /^([<>]=?)?(\d{1,6})(min|h|d|w|y)$/.exec(value);
  if (age) {
    const sec = Math.floor(now / 1000) - Number(age[2]) * UNIT_SECONDS[age[3]!]!;
    return { op, is: OF_AGE[age[1] ?? '']!, sec };
  }
  const date = /^([<>]=?|=)?(\d{4})-(\d{2})-(\d{2})$/.exec(value);
  const [year, month, day] = (date?.slice(2) ?? []).map(Number);
  const begin = new Date(year ?? NaN, (month ?? 0) - 1, day);
  if (!date || begin.getMonth() !== month! - 1 || begin.getDate() !== day) {
    throw new UsageError(`${op}:${value}: write it as ${op}:<7d or ${op}:>=2024-05-01`);
  }
  return ofDay(op, date[1] ?? '', begin);
}

function ofDay(op: 'modified' | 'created', operator: string, begin: Date): SearchCondition {
  const next = new Date(begin);
  next.setDate(next.getDate() + 1);
  const from: SearchCondition = { op, is: 'gte', sec: begin.getTime() / 1000 };
  const until: SearchCondition = { op, is: 'lt', sec: next.getTime() / 1000 };
  switch (operator) {
    case '<':
      return { ...until, sec: from.sec };
    case '<=':
      return until;
    case '>':
      return { ...from, sec: until.sec };
    case '>=':
      return from;
    default:
      return all([from, until]);
  }
}

function folderNames(value: string): string[] {
  const names = value.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw new UsageError(`in:${value} leads up; search there instead`);
  return names;
}
