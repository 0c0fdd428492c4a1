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

const TOKEN = /\s*(?:(\()|(\))|<([^<>\s]*)>|\[\s*((?:W\/)?"[^"]*")\s*\]|(Not)(?![A-Za-z]))/iy;

export function parseIfHeader(header: string): IfList[] {
  const lists: IfList[] = [];
  let resource: string | undefined;
  let open: Condition[] | undefined;
  let not = false;
  TOKEN.lastIndex = 0;
  const rest = header.trimEnd();
  while (TOKEN.lastIndex < rest.length) {
    const match = TOKEN.exec(rest);
    if (!match) throw malformed();
    const [, begin, end, uri, etag] = match;
    if (!open) {
      // A list or the tag of the lists that follow; untagged lists can't follow tagged ones as something else.
      if (begin) open = [];
      else if (uri !== undefined && (lists.length === 0 || resource !== undefined)) resource = uri;
      else throw malformed();
    } else if (end) {
      if (open.length === 0 || not) throw malformed();
      lists.push({ resource, conditions: open });
      open = undefined;
    } else if (uri !== undefined) {
      open.push({ kind: 'token', not, token: uri });
      not = false;
    } else if (etag !== undefined) {
      open.push({ kind: 'etag', not, etag });
      not = false;
    } else if (begin || not) {
      throw malformed();
    } else {
      not = true;
    }
  }
  if (open || lists.length === 0) throw malformed();
  return lists;
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
