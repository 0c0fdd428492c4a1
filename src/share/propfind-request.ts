import type { PropertyName } from '../webdav/types.js';
import { ShareError } from './errors.js';
import { DAV_NS } from './live-properties.js';
import { elementsOf, isElement, parseXml, type XmlElement } from './xml-reader.js';

/** RFC 4918 section 14.20. */
export type PropfindRequest =
  | { readonly kind: 'prop'; readonly names: readonly PropertyName[] }
  | { readonly kind: 'allprop'; readonly include: readonly PropertyName[] }
  | { readonly kind: 'propname' };

/** Ours: names asked for in one request. */
const MAX_NAMES = 500;

/** An empty body asks for all properties (section 9.1). */
export function parsePropfind(body: Buffer): PropfindRequest {
  if (body.length === 0) return { kind: 'allprop', include: [] };
  if (body.length > MAX_REMEMBERED_BYTES) return readPropfind(body);
  const key = body.toString('latin1');
  let request = remembered.get(key);
  if (!request) {
    request = readPropfind(body);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(key, request);
  }
  return request;
}

/** A client asks with the same few bodies again and again, and parsing one costs as much as the rest of a small request. */
const remembered = new Map<string, PropfindRequest>();
const MAX_REMEMBERED = 32;
const MAX_REMEMBERED_BYTES = 4096;

function readPropfind(body: Buffer): PropfindRequest {
  const root = parseXml(body);
  if (!isElement(root, DAV_NS, 'propfind')) throw new ShareError(400, 'the body is no propfind');
  const find = (name: string): XmlElement | undefined =>
    elementsOf(root).find((element) => isElement(element, DAV_NS, name));
  const [prop, allprop, propname] = [find('prop'), find('allprop'), find('propname')];
  if ([prop, allprop, propname].filter(Boolean).length !== 1) {
    throw new ShareError(400, 'a propfind has one of prop, allprop, propname');
  }
  if (prop) return { kind: 'prop', names: namesIn(prop) };
  if (propname) return { kind: 'propname' };
  const include = find('include');
  return { kind: 'allprop', include: include ? namesIn(include) : [] };
}

function namesIn(parent: XmlElement): PropertyName[] {
  const names = elementsOf(parent).map(({ ns, name }) => ({ ns, name }));
  if (names.length > MAX_NAMES) throw new ShareError(400, 'too many properties');
  return names;
}
