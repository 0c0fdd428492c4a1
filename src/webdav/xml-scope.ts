import { XmlError } from './types.js';
import type { Tag } from './xml-tag.js';

export interface XmlName {
  readonly ns: string;
  readonly local: string;
  /** `${ns} ${local}`: one string to compare. */
  readonly key: string;
}

/** Bounds what a hostile document can make us remember. */
const MAX_CACHED = 1024;

/** Namespace declarations in force, with the names resolved under them. */
export interface Scope {
  readonly prefixes: ReadonlyMap<string, string>;
  readonly names: Map<string, XmlName>;
  /** Scopes below, by the text of their declarations: servers repeat these for each response. */
  readonly inner: Map<string, Scope>;
}

const ROOT_SCOPE_PREFIXES = new Map([
  ['', ''],
  ['xml', 'http://www.w3.org/XML/1998/namespace'],
]);

function newScope(prefixes: ReadonlyMap<string, string>): Scope {
  return { prefixes, names: new Map(), inner: new Map() };
}

export function innerScope(parent: Scope, tag: Tag): Scope {
  const cached = parent.inner.get(tag.declarationText);
  if (cached !== undefined) return cached;
  const prefixes = new Map(parent.prefixes);
  for (const [prefix, ns] of tag.declarations) prefixes.set(prefix, ns);
  const scope = newScope(prefixes);
  if (parent.inner.size < MAX_CACHED) parent.inner.set(tag.declarationText, scope);
  return scope;
}

export function namespaceOf(scope: Scope, prefix: string): string {
  const ns = scope.prefixes.get(prefix);
  if (ns === undefined)
    throw new XmlError('the XML answer uses a namespace prefix it does not declare');
  return ns;
}

export function resolveName(scope: Scope, qname: string): XmlName {
  const cached = scope.names.get(qname);
  if (cached !== undefined) return cached;
  const colon = qname.indexOf(':');
  const ns = namespaceOf(scope, colon < 0 ? '' : qname.slice(0, colon));
  const local = qname.slice(colon + 1);
  const name = { ns, local, key: `${ns} ${local}` };
  if (scope.names.size < MAX_CACHED) scope.names.set(qname, name);
  return name;
}

export function rootScope(): Scope {
  return newScope(ROOT_SCOPE_PREFIXES);
}
