import { XmlError } from './types.js';
import { decodeReferences } from './xml-references.js';

/** A start tag or empty-element tag, read. */
export interface Tag {
  readonly qname: string;
  readonly selfClosing: boolean;
  readonly declares: boolean;
  /** Prefix ('' for the default namespace) and namespace. */
  readonly declarations: readonly (readonly [string, string])[];
  /** The attributes as written: the same text declares the same. */
  readonly declarationText: string;
  /** Prefixes of other attributes, which have to be declared. */
  readonly attributePrefixes: readonly string[];
}

const QNAME = /^[\p{L}_][\p{L}\p{N}\p{M}_.\u00b7-]*(?::[\p{L}_][\p{L}\p{N}\p{M}_.\u00b7-]*)?$/u;
const ATTRIBUTE = /[ \t\r\n]+([^ \t\r\n=<>"'/]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"<]*)"|'([^'<]*)')/y;
const XML_NS = 'http://www.w3.org/XML/1998/namespace';
const XMLNS_NS = 'http://www.w3.org/2000/xmlns/';

/** `inner`: what stands between `<` and `>`. */
export function readTag(inner: string): Tag {
  const selfClosing = inner.endsWith('/');
  const content = selfClosing ? inner.slice(0, -1) : inner;
  const space = content.search(/[ \t\r\n]/);
  const qname = space < 0 ? content : content.slice(0, space);
  if (!QNAME.test(qname)) throw new XmlError('the XML answer has a tag without a proper name');
  const attributeText = space < 0 ? '' : content.slice(space);
  return { qname, selfClosing, ...readAttributes(attributeText) };
}

function readAttributes(text: string): Omit<Tag, 'qname' | 'selfClosing'> {
  const declarations: [string, string][] = [];
  const attributePrefixes: string[] = [];
  const seen = new Set<string>();
  let at = 0;
  for (;;) {
    ATTRIBUTE.lastIndex = at;
    const match = ATTRIBUTE.exec(text);
    if (match === null) break;
    at = ATTRIBUTE.lastIndex;
    const name = match[1]!;
    if (!QNAME.test(name) || seen.has(name)) {
      throw new XmlError('the XML answer has a broken attribute');
    }
    seen.add(name);
    const value = decodeReferences(match[2] ?? match[3] ?? '');
    if (name === 'xmlns') declarations.push(['', value]);
    else if (name.startsWith('xmlns:')) declarations.push([declared(name.slice(6), value), value]);
    else if (name.includes(':')) attributePrefixes.push(name.slice(0, name.indexOf(':')));
  }
  if (/[^ \t\r\n]/.test(text.slice(at)))
    throw new XmlError('the XML answer has a broken attribute');
  return {
    declares: declarations.length > 0,
    declarations,
    declarationText: text,
    attributePrefixes,
  };
}

/** Namespaces in XML 1.0, 3: what may be bound to what. */
function declared(prefix: string, ns: string): string {
  const wrong =
    ns === '' || ns === XMLNS_NS || prefix === 'xmlns' || (prefix === 'xml') !== (ns === XML_NS);
  if (wrong) throw new XmlError('the XML answer declares a namespace wrongly');
  return prefix;
}
