/**
 * Request bodies: XML, read whole into a small tree. Strict: ill-formed XML, a DOCTYPE (and with it every entity), too deep nesting
 * are refused before anything is done.
 */
import { SaxesParser } from 'saxes';
import { ShareError } from './errors.js';

export interface XmlElement {
  readonly ns: string;
  readonly name: string;
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly (XmlElement | string)[];
}

export interface XmlAttribute {
  readonly ns: string;
  readonly name: string;
  readonly value: string;
}

/** Ours. */
const MAX_DEPTH = 32;
/** Elements and attributes: each takes up many times the four bytes that it is sent in. */
const MAX_NODES = 20_000;

const XMLNS_NS = 'http://www.w3.org/2000/xmlns/';
export const XML_NS = 'http://www.w3.org/XML/1998/namespace';

interface OpenElement extends XmlElement {
  readonly children: (XmlElement | string)[];
}

export function parseXml(body: Buffer): XmlElement {
  const parser = new SaxesParser({ xmlns: true, position: false });
  const open: OpenElement[] = [];
  let nodes = 0;
  let root: XmlElement | undefined;
  const addText = (text: string): void => {
    open.at(-1)?.children.push(text);
  };
  parser.on('error', (error) => {
    throw malformed(error.message);
  });
  parser.on('doctype', (doctype) => {
    throw refuseDoctype(doctype);
  });
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('opentag', (tag) => {
    if (open.length >= MAX_DEPTH) throw malformed('nested too deeply');
    nodes += 1 + Object.keys(tag.attributes).length;
    if (nodes > MAX_NODES) throw malformed('too many elements and attributes');
    const attributes = Object.values(tag.attributes)
      .filter(({ uri }) => uri !== XMLNS_NS)
      .map(({ uri, local, value }) => ({ ns: uri, name: local, value }));
    const element = { ns: tag.uri, name: tag.local, attributes, children: [] };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('closetag', () => {
    const element = open.pop();
    if (open.length === 0) root = element;
  });
  parser.write(decodeText(body)).close();
  if (!root) throw malformed('no element');
  return root;
}

/** UTF-8, or UTF-16 with a byte order mark: what every XML processor must read. */
function decodeText(body: Buffer): string {
  const [first, second] = body;
  const label =
    first === 0xff && second === 0xfe
      ? 'utf-16le'
      : first === 0xfe && second === 0xff
        ? 'utf-16be'
        : 'utf-8';
  try {
    return new TextDecoder(label, { fatal: true }).decode(body);
  } catch (error) {
    throw new ShareError(400, `the body is no ${label}`, { cause: error });
  }
}

/** What it declares may be elsewhere: never looked at, and refused in the words of RFC 4918 section 16. */
function refuseDoctype(doctype: string): ShareError {
  if (!/\b(SYSTEM|PUBLIC)\b/.test(doctype)) return malformed('a DOCTYPE is not accepted');
  const condition = { ns: 'DAV:', name: 'no-external-entities' };
  return new ShareError(403, 'external entities are not accepted', { condition });
}

function malformed(why: string): ShareError {
  return new ShareError(400, `malformed XML: ${why}`);
}

export function isElement(
  node: XmlElement | string | undefined,
  ns: string,
  name: string,
): node is XmlElement {
  return typeof node === 'object' && node.ns === ns && node.name === name;
}

export function elementsOf(parent: XmlElement): XmlElement[] {
  return parent.children.filter((child) => typeof child === 'object');
}

/** Text of the element alone. */
export function textOf(element: XmlElement): string {
  return element.children.filter((child) => typeof child === 'string').join('');
}
