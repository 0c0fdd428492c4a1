import { XML_NS, type XmlElement } from './xml-reader.js';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Characters XML 1.0 has no way to write, lone surrogates among them. */
const NOT_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;
const SPECIAL = /[&<>"\t\n\r]/g;
const NEEDS_CARE = /[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]/;

/** For text and attribute values alike. What XML can't say becomes U+FFFD: the document stays well-formed, the href is exact. */
export function escapeXml(text: string): string {
  if (!NEEDS_CARE.test(text)) return text;
  return text
    .toWellFormed()
    .replace(NOT_XML, '\ufffd')
    .replace(SPECIAL, (character) => ESCAPES[character]!);
}

/** The content of an element, each namespace declared where it is used: it means the same in any document. */
export function formatContent(element: XmlElement): string {
  return element.children
    .map((child) => (typeof child === 'string' ? escapeXml(child) : formatElement(child)))
    .join('');
}

function formatElement(element: XmlElement): string {
  const content = formatContent(element);
  const tag = element.ns === '' ? element.name : `n:${element.name}`;
  const declared = element.ns === '' ? ' xmlns=""' : ` xmlns:n="${escapeXml(element.ns)}"`;
  const start = `<${tag}${declared}${formatAttributes(element)}`;
  return content === '' ? `${start}/>` : `${start}>${content}</${tag}>`;
}

export function formatAttributes(element: XmlElement): string {
  return element.attributes
    .map(({ ns, name, value }, at) => {
      const text = escapeXml(value);
      if (ns === '') return ` ${name}="${text}"`;
      if (ns === XML_NS) return ` xml:${name}="${text}"`;
      return ` xmlns:a${at}="${escapeXml(ns)}" a${at}:${name}="${text}"`;
    })
    .join('');
}
