/**
 * Values of dead properties as phodav keeps them: in extended attributes, through GIO, which writes and reads bytes that are not
 * printable ASCII, and the backslash, as \xNN; and as they were escaped for XML in the request, which it escapes again in the answer.
 */
import { decodeReferences } from './xml-references.js';

export function toPhodavValue(value: string): string {
  return value.replaceAll('\\', '\\x5c');
}

export function fromPhodavValue(text: string): string {
  const bytes = Buffer.from(
    text.replace(/[^\x00-\x7f]+/g, (part) => Buffer.from(part, 'utf8').toString('latin1')),
    'latin1',
  );
  const unescaped = bytes
    .toString('latin1')
    .replace(/\\x([0-9a-fA-F]{2})/g, (_escape, hex: string) =>
      String.fromCharCode(parseInt(hex, 16)),
    );
  return decodeReferences(Buffer.from(unescaped, 'latin1').toString('utf8'), true);
}
