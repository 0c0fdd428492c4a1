import { XmlError } from './types.js';

const NAMED: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};

/**
 * Replaces character references and the five entities that need no DTD. `lenient`: an ampersand that begins none of these stands
 * for itself (phodav writes the collection's path into hrefs without escaping it).
 */
export function decodeReferences(text: string, lenient = false): string {
  if (!text.includes('&')) return text;
  return text.replace(/&([^;&\s]*)(;?)/g, (reference, name: string, semicolon: string) => {
    const value = semicolon === '' ? undefined : (NAMED[name] ?? fromCodePoint(name));
    if (value === undefined && lenient) return reference;
    if (value === undefined)
      throw new XmlError(`the XML answer has the unknown reference ${reference}`);
    return value;
  });
}

function fromCodePoint(name: string): string | undefined {
  const match = /^#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}))$/.exec(name);
  if (!match) return undefined;
  const code = match[1] === undefined ? parseInt(match[2]!, 16) : Number(match[1]);
  return isChar(code) ? String.fromCodePoint(code) : undefined;
}

/** XML 1.0 production 2. */
function isChar(code: number): boolean {
  return (
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  );
}

/** Text as element content. What XML 1.0 can't express is refused. */
export function escapeText(text: string): string {
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text) || !text.isWellFormed()) {
    throw new XmlError('the value has characters that XML cannot express');
  }
  return text.replace(/[&<>\r]/g, (character) => ESCAPES[character]!);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\r': '&#13;',
};
