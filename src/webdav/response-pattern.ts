/** Servers write the responses of a document alike: one that was read tag by tag gives the pattern by which others are read in one go. */
import type { MultistatusEntry } from './multistatus.js';

/** What it says besides its tags is read as it is: anything that would have to be decoded, or refused, is left to the scanner. */
const PLAIN = '([^<>&\\x00-\\x08\\x0b-\\x1f\\ufffe\\uffff]*)';
const BETWEEN = '[ \\t\\n]*';
const TAG = /<(\/?)([^\s/>]+)[^>]*?(\/?)>([^<]*)/y;
/** Ours: bounds for what a peer makes us remember and try. A share has two kinds of responses for one question, and some rare ones. */
const MAX_LENGTH = 4096;
const MAX_ATTEMPTS = 8;
const MAX_ROOTS = 16;

/** Depth of elements, the response being 1. */
const PART_DEPTH = 2;
const PROPERTY_DEPTH = 4;

/** A property with its text: always the same one, or that of a group. */
type Source = readonly [name: string, text: string | number];

export class ResponsePattern {
  readonly #expression: RegExp;
  readonly #properties: readonly Source[];
  readonly #refused: ReadonlyMap<string, number>;

  constructor(
    expression: RegExp,
    properties: readonly Source[],
    refused: ReadonlyMap<string, number>,
  ) {
    this.#expression = expression;
    this.#properties = properties;
    this.#refused = refused;
  }

  /** The response that begins at `at`; undefined: it is another kind of response, or not all there. */
  read(text: string, at: number): MultistatusEntry | undefined {
    this.#expression.lastIndex = at;
    const match = this.#expression.exec(text);
    if (match === null) return undefined;
    const properties = new Map<string, string>();
    for (const [name, from] of this.#properties) {
      properties.set(name, typeof from === 'number' ? match[from]! : from);
    }
    const href = match[1]!.trim();
    const refused = this.#refused;
    return { href, status: undefined, properties, refused, condition: undefined };
  }

  /** Where what was read last ends. */
  get end(): number {
    return this.#expression.lastIndex;
  }
}

/** `text`: that of a whole response; `entry`: what the scanner made of it. Undefined: it has something unusual. */
export function learnPattern(text: string, entry: MultistatusEntry): ResponsePattern | undefined {
  const { properties, refused } = entry;
  if (entry.status !== undefined || entry.condition !== undefined) return undefined;
  const tags = text.length <= MAX_LENGTH ? readTags(text) : undefined;
  if (tags === undefined) return undefined;
  const names = [...properties.keys(), ...refused.keys()];
  const sources = new Map<string, string | number>(properties);
  let expression = '';
  let [property, groups] = [0, 0];
  for (const { tag, depth, local, content, opens, isLeaf } of tags) {
    const name = opens && depth === PROPERTY_DEPTH ? (names[property++] ?? '') : undefined;
    if (name !== undefined && !name.endsWith(` ${local}`)) return undefined;
    const isHref = depth === PART_DEPTH && local === 'href' && groups === 0;
    const isValue = name !== undefined && groups > 0 && sources.get(name) === content;
    const varies = isLeaf && (isHref || isValue);
    if (varies) groups += 1;
    if (varies && name !== undefined) sources.set(name, groups);
    expression += escape(tag) + (varies ? PLAIN : escape(content));
  }
  if (property !== names.length || groups === 0) return undefined;
  return new ResponsePattern(new RegExp(expression + BETWEEN, 'y'), [...sources], refused);
}

interface TagInText {
  readonly tag: string;
  readonly local: string;
  /** Of its element. */
  readonly depth: number;
  readonly opens: boolean;
  /** Nothing but text is in its element. */
  readonly isLeaf: boolean;
  /** The text behind it. */
  readonly content: string;
}

/** REQUIRES: well-formed. Undefined: it has more than tags and text. */
function readTags(text: string): TagInText[] | undefined {
  const tags: TagInText[] = [];
  let open = 0;
  for (let at = 0; at < text.length; at = TAG.lastIndex) {
    TAG.lastIndex = at;
    const match = TAG.exec(text);
    const [whole = '', slash, qname = '', empty, content = ''] = match ?? [];
    // A `>` that ends no tag may stand in a quoted value.
    if (match === null || /^[!?]/.test(qname) || content.includes('>')) return undefined;
    const opens = slash === '';
    const isLeaf = opens && empty === '' && text.startsWith('</', TAG.lastIndex);
    const tag = whole.slice(0, whole.length - content.length);
    const local = qname.slice(qname.indexOf(':') + 1);
    tags.push({ tag, local, depth: opens ? open + 1 : open, opens, isLeaf, content });
    if (!opens) open -= 1;
    else if (empty === '') open += 1;
  }
  return tags;
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Of documents with the same root: it declares what the tags mean. */
export class ResponsePatterns {
  readonly #patterns: ResponsePattern[] = [];
  #attempts = 0;

  /** Where the response at `at` ends, and what it says. */
  read(
    text: string,
    at: number,
  ): { readonly entry: MultistatusEntry; readonly end: number } | undefined {
    for (const pattern of this.#patterns) {
      const entry = pattern.read(text, at);
      if (entry) return { entry, end: pattern.end };
    }
    return undefined;
  }

  learn(text: string, entry: MultistatusEntry): void {
    if (this.#attempts >= MAX_ATTEMPTS) return;
    this.#attempts += 1;
    const pattern = learnPattern(text, entry);
    if (pattern) this.#patterns.push(pattern);
  }
}

const byRoot = new Map<string, ResponsePatterns>();

/** `tag`: of the root, as it stands in the document. */
export function patternsOf(tag: string): ResponsePatterns {
  let patterns = byRoot.get(tag);
  if (!patterns) {
    if (byRoot.size >= MAX_ROOTS) byRoot.clear();
    byRoot.set(tag, (patterns = new ResponsePatterns()));
  }
  return patterns;
}
