/**
 * The If header (RFC 4918 section 10.4):
 *
 *     If = 1*No-tag-list | 1*Tagged-list          Tagged-list = "<" Resource-Tag ">" 1*List
 *     List = "(" 1*Condition ")"                  Condition = ["Not"] ("<" State-token ">" | "[" entity-tag "]")
 */
import { ShareError } from './errors.js';

export type Condition =
  | { readonly kind: 'token'; readonly not: boolean; readonly token: string }
  | { readonly kind: 'etag'; readonly not: boolean; readonly etag: string };

export interface IfList {
  /** Absent: the resource of the request. */
  readonly resource: string | undefined;
  readonly conditions: readonly Condition[];
}

const SYMBOL = /\s*(?:(\()|(\))|<([^<>\s]+)>|\[\s*((?:W\/)?"[^"]*")\s*\]|(Not)(?![A-Za-z]))/iy;

/** Ours. For each the state of a resource may have to be looked up. */
const MAX_LISTS = 100;

interface IfSymbol {
  readonly kind: '(' | ')' | 'uri' | 'etag' | 'not';
  readonly text: string;
}

export function parseIfHeader(header: string): IfList[] {
  return new ListReader(scan(header)).lists();
}

function scan(header: string): IfSymbol[] {
  const symbols: IfSymbol[] = [];
  const text = header.trimEnd();
  SYMBOL.lastIndex = 0;
  while (SYMBOL.lastIndex < text.length) {
    const match = SYMBOL.exec(text);
    if (!match) throw malformed();
    const [, begin, end, uri, etag] = match;
    if (begin) symbols.push({ kind: '(', text: begin });
    else if (end) symbols.push({ kind: ')', text: end });
    else if (uri !== undefined) symbols.push({ kind: 'uri', text: uri });
    else if (etag !== undefined) symbols.push({ kind: 'etag', text: etag });
    else symbols.push({ kind: 'not', text: '' });
  }
  return symbols;
}

class ListReader {
  readonly #symbols: readonly IfSymbol[];
  #at = 0;

  constructor(symbols: readonly IfSymbol[]) {
    this.#symbols = symbols;
  }

  /** All with tags, or all without. */
  lists(): IfList[] {
    const lists: IfList[] = [];
    const tagged = this.#next === 'uri';
    do {
      const resource = tagged ? this.#take('uri') : undefined;
      do lists.push({ resource, conditions: this.#list() });
      while (this.#next === '(');
      if (lists.length > MAX_LISTS) throw malformed();
    } while (this.#next !== undefined);
    return lists;
  }

  #list(): Condition[] {
    const conditions: Condition[] = [];
    this.#take('(');
    do conditions.push(this.#condition());
    while (this.#next !== ')');
    this.#take(')');
    return conditions;
  }

  #condition(): Condition {
    const not = this.#next === 'not';
    if (not) this.#take('not');
    if (this.#next === 'etag') return { kind: 'etag', not, etag: this.#take('etag') };
    return { kind: 'token', not, token: this.#take('uri') };
  }

  get #next(): IfSymbol['kind'] | undefined {
    return this.#symbols[this.#at]?.kind;
  }

  #take(kind: IfSymbol['kind']): string {
    const symbol = this.#symbols[this.#at++];
    if (symbol?.kind !== kind) throw malformed();
    return symbol.text;
  }
}

function malformed(): ShareError {
  return new ShareError(400, 'malformed If header');
}

export interface ResourceState {
  readonly etag: string | undefined;
  /** Is this token a lock of the resource? */
  hasToken(token: string): boolean;
}

/** True when all conditions of one list hold. `stateOf` is asked once per resource. */
export function evaluateIf(
  lists: readonly IfList[],
  stateOf: (resource: string | undefined) => ResourceState,
): boolean {
  const states = new Map<string | undefined, ResourceState>();
  return lists.some(({ resource, conditions }) => {
    let state = states.get(resource);
    if (!state) states.set(resource, (state = stateOf(resource)));
    return conditions.every((condition) => {
      const holds =
        condition.kind === 'token'
          ? state.hasToken(condition.token)
          : condition.etag === state.etag && !condition.etag.startsWith('W/');
      return holds !== condition.not;
    });
  });
}
