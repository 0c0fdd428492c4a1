/** Parts that several elements of a query have. */
import type { PropertyName } from '../../webdav/types.js';
import { ShareError } from '../errors.js';
import { DAV_NS } from '../live-properties.js';
import { elementsOf, isElement, type XmlElement } from '../xml-reader.js';

/** Well-formed, but more than we can do (RFC 5323 sections 2.4 and 5.5.2). */
export function unprocessable(why: string, condition?: PropertyName): ShareError {
  return new ShareError(422, why, condition && { condition });
}

export function requireChild(parent: XmlElement, name: string): XmlElement {
  const found = elementsOf(parent).find((element) => isElement(element, DAV_NS, name));
  if (!found) throw new ShareError(400, `${parent.name} has no ${name}`);
  return found;
}

/** The one property named in the DAV:prop of an operator. */
export function onlyProperty(parent: XmlElement): PropertyName {
  const [property, ...others] = elementsOf(requireChild(parent, 'prop'));
  if (!property || others.length > 0) {
    throw new ShareError(400, `${parent.name} names one property`);
  }
  return { ns: property.ns, name: property.name };
}

/** The attribute of RFC 5323, or that of its drafts. Without either, letters are compared as they are. */
export function isCaseless(element: XmlElement): boolean {
  const attribute = (name: string): string | undefined =>
    element.attributes.find((one) => one.ns === '' && one.name === name)?.value;
  return attribute('caseless') === 'yes' || attribute('casesensitive') === '0';
}
