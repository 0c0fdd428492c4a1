/** What a SEARCH asks for (RFC 5323 section 5), read from its body and checked: whatever is wrong with a query is said before the search begins. */
import type { PropertyName } from '../../webdav/types.js';
import { ShareError } from '../errors.js';
import { DAV_NS } from '../live-properties.js';
import { davCondition } from '../multistatus-writer.js';
import { elementsOf, isElement, parseXml, textOf, type XmlElement } from '../xml-reader.js';
import type { Condition } from './condition.js';
import { ConditionReader } from './condition-reader.js';
import { isCaseless, onlyProperty, requireChild, unprocessable } from './xml-parts.js';

export type Depth = '0' | '1' | 'infinity';

export interface OrderKey {
  readonly property: PropertyName;
  readonly descending: boolean;
  readonly caseless: boolean;
}

export interface SearchQuery {
  /** Undefined: all of them (allprop). */
  readonly select: readonly PropertyName[] | undefined;
  /** As it came. */
  readonly scope: string;
  readonly depth: Depth;
  /** Undefined: everything in the scope. */
  readonly where: Condition | undefined;
  /** Texts to look for in the content of files; conditions name them by index. */
  readonly needles: readonly string[];
  readonly order: readonly OrderKey[];
  readonly limit: number | undefined;
}

/** Ours. */
const MAX_SELECTED = 500;
const MAX_ORDER_KEYS = 8;

export function parseSearch(body: Buffer): SearchQuery {
  const request = parseXml(body);
  if (isElement(request, DAV_NS, 'query-schema-discovery')) {
    throw unprocessable(
      'no discovery of query schemas',
      davCondition('search-grammar-discovery-supported'),
    );
  }
  if (!isElement(request, DAV_NS, 'searchrequest')) {
    throw new ShareError(400, 'the body is no searchrequest');
  }
  const [grammar, ...others] = elementsOf(request);
  if (!grammar || others.length > 0) throw new ShareError(400, 'a searchrequest has one query');
  if (!isElement(grammar, DAV_NS, 'basicsearch')) {
    throw unprocessable('no such query grammar', davCondition('search-grammar-supported'));
  }
  return readBasicSearch(grammar);
}

function readBasicSearch(basicsearch: XmlElement): SearchQuery {
  const part = (name: string): XmlElement | undefined => {
    const found = elementsOf(basicsearch).filter((element) => isElement(element, DAV_NS, name));
    if (found.length > 1) throw new ShareError(400, `more than one ${name}`);
    return found[0];
  };
  const [select, from, where] = [part('select'), part('from'), part('where')];
  if (!select || !from) throw new ShareError(400, 'a basicsearch has select and from');
  const conditions = new ConditionReader();
  return {
    select: readSelect(select),
    ...readScope(from),
    where: where && conditions.readWhere(where),
    needles: conditions.needles,
    order: readOrder(part('orderby')),
    limit: readLimit(part('limit')),
  };
}

function readSelect(select: XmlElement): PropertyName[] | undefined {
  const [what, ...others] = elementsOf(select);
  if (!what || others.length > 0) throw new ShareError(400, 'select has prop or allprop');
  if (isElement(what, DAV_NS, 'allprop')) return undefined;
  if (!isElement(what, DAV_NS, 'prop')) throw new ShareError(400, 'select has prop or allprop');
  const names = elementsOf(what).map(({ ns, name }) => ({ ns, name }));
  if (names.length > MAX_SELECTED) throw unprocessable('too many properties');
  return names;
}

/** DAV:include-versions means nothing where there are no versions (section 5.4). */
function readScope(from: XmlElement): { scope: string; depth: Depth } {
  const scopes = elementsOf(from).filter((element) => isElement(element, DAV_NS, 'scope'));
  const [scope] = scopes;
  if (!scope) throw new ShareError(400, 'from has a scope');
  if (scopes.length > 1) {
    throw unprocessable('more than one scope', davCondition('search-multiple-scope-supported'));
  }
  const depth = textOf(requireChild(scope, 'depth')).trim().toLowerCase();
  if (depth !== '0' && depth !== '1' && depth !== 'infinity') {
    throw new ShareError(400, 'depth is 0, 1 or infinity');
  }
  return { scope: textOf(requireChild(scope, 'href')).trim(), depth };
}

function readOrder(orderby: XmlElement | undefined): OrderKey[] {
  const keys = orderby ? elementsOf(orderby) : [];
  if (keys.length > MAX_ORDER_KEYS) throw unprocessable('too many keys to order by');
  return keys.map((order) => {
    if (!isElement(order, DAV_NS, 'order')) throw new ShareError(400, 'orderby has order');
    if (elementsOf(order).some((element) => isElement(element, DAV_NS, 'score'))) {
      throw unprocessable('nothing has a score here');
    }
    return {
      property: onlyProperty(order),
      descending: elementsOf(order).some((element) => isElement(element, DAV_NS, 'descending')),
      caseless: isCaseless(order),
    };
  });
}

function readLimit(limit: XmlElement | undefined): number | undefined {
  if (!limit) return undefined;
  const text = textOf(requireChild(limit, 'nresults')).trim();
  if (!/^\d{1,15}$/.test(text) || Number(text) === 0) {
    throw new ShareError(400, 'nresults is a number of 1 or more');
  }
  return Number(text);
}
