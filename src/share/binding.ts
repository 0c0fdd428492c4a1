/** The bodies of RFC 5842: which member of the collection is meant, and what it shall be a name of. */
import { requireConditions } from './conditional.js';
import { ShareError } from './errors.js';
import type { Exchange } from './exchange.js';
import { DAV_NS } from './live-properties.js';
import { davCondition } from './multistatus-writer.js';
import { isOtherServer } from './destination.js';
import { resourceStates } from './resource-states.js';
import { parseTargetPath } from './target-path.js';
import { elementsOf, isElement, parseXml, textOf, type XmlElement } from './xml-reader.js';

export type BindingMethod = 'bind' | 'unbind' | 'rebind';

export interface BindingRequest {
  /** Path of the member: of the collection that the request is for, and the segment. */
  readonly member: readonly string[];
  /** Path of the resource that gets the name. None for `unbind`. */
  readonly source: readonly string[];
}

export async function readBindingRequest(
  exchange: Exchange,
  method: BindingMethod,
): Promise<BindingRequest> {
  const root = parseXml(await exchange.smallBody());
  if (!isElement(root, DAV_NS, method)) throw new ShareError(400, `the body is no ${method}`);
  const name = parseSegment(childText(root, 'segment'));
  requireCollection(exchange, method);
  return {
    member: [...exchange.target.segments, name],
    source: method === 'unbind' ? [] : parseSource(exchange, childText(root, 'href')),
  };
}

/** The conditions of the header are about the collection, which the request is for. */
export function requireCollectionConditions(exchange: Exchange): void {
  const { context, target, req, method } = exchange;
  const collection = context.root.locate(target.segments, true);
  try {
    requireConditions(method, req.headers, collection.existing(), resourceStates(exchange));
  } finally {
    collection.close();
  }
}

export function bindingRefused(status: number, condition: string, why: string): ShareError {
  return new ShareError(status, why, { condition: davCondition(condition) });
}

function childText(root: XmlElement, name: string): string {
  const found = elementsOf(root).filter((element) => isElement(element, DAV_NS, name));
  if (found.length !== 1) throw new ShareError(400, `not one ${name} in the body`);
  return textOf(found[0]!).trim();
}

/** A segment as RFC 3986 section 3.3 has it: percent-encoded. */
function parseSegment(text: string): string {
  const refused = bindingRefused(403, 'name-allowed', 'no name for a member');
  if (/[/?#]/.test(text)) throw refused;
  try {
    const [name, ...more] = parseTargetPath(`/${text}`).segments;
    if (name !== undefined && more.length === 0) return name;
  } catch (cause) {
    refused.cause = cause;
  }
  throw refused;
}

function parseSource(exchange: Exchange, href: string): readonly string[] {
  if (isOtherServer(href, exchange.header('host'))) {
    throw bindingRefused(403, 'cross-server-binding', 'the resource is on another server');
  }
  return parseTargetPath(href).segments;
}

const NO_COLLECTION: Readonly<Record<BindingMethod, string>> = {
  bind: 'bind-into-collection',
  unbind: 'unbind-from-collection',
  rebind: 'rebind-into-collection',
};

function requireCollection({ context, target }: Exchange, method: BindingMethod): void {
  const place = context.root.locate(target.segments, true);
  try {
    place.existing();
    if (place.kind === 'collection') return;
    throw bindingRefused(409, NO_COLLECTION[method], 'the target is no collection');
  } finally {
    place.close();
  }
}
