/**
 * File names between bytes and strings, without loss.
 *
 * Linux names are bytes. A name that is not valid UTF-8 keeps each stray byte 0x80..0xFF as the lone surrogate
 * U+DC80..U+DCFF (the scheme of Python's PEP 383), so that every name has one string and goes back to the same bytes.
 */

const STRAY_BASE = 0xdc00;

/** Bytes of a name (no NUL, no slash) → string. */
export function decodeName(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  // U+FFFD may be a real character of the name; only then compare bytes.
  if (!text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(bytes)) return text;
  let out = '';
  for (let at = 0; at < bytes.length;) {
    const length = validSequenceLength(bytes, at);
    if (length === 0) {
      out += String.fromCharCode(STRAY_BASE + bytes[at]!);
      at += 1;
    } else {
      out += bytes.toString('utf8', at, at + length);
      at += length;
    }
  }
  return out;
}

/** String → bytes of the name. */
export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.charCodeAt(0);
    if (character.length === 1 && code >= 0xdc80 && code <= 0xdcff) {
      parts.push(Buffer.of(code - STRAY_BASE));
    } else {
      parts.push(Buffer.from(character, 'utf8'));
    }
  }
  return Buffer.concat(parts);
}

/** Length of the well-formed UTF-8 sequence at `at` (Unicode table 3-7), or 0. */
function validSequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (at + length > bytes.length) return 0;
  const slice = bytes.subarray(at, at + length);
  return Buffer.from(slice.toString('utf8'), 'utf8').equals(slice) ? length : 0;
}
