/** The wildcards of DAV:like (RFC 5323 section 5.14): `%` any characters, `_` one, `\` takes what follows as it is. */
import { ShareError } from '../errors.js';
import { fold } from './fold.js';

/** Characters (code points) of the pattern; the wildcards as numbers. */
export interface LikePattern {
  readonly parts: readonly (string | typeof ANY | typeof ONE)[];
  readonly caseless: boolean;
}

const ANY = 0;
const ONE = 1;

/** Ours: longer values match nothing. Names are 255 bytes at most, and the work is the product of both lengths. */
const MAX_TEXT_LENGTH = 1024;

export function parseLike(literal: string, caseless: boolean): LikePattern {
  const characters = Array.from(caseless ? fold(literal) : literal);
  const parts: (string | typeof ANY | typeof ONE)[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === '%') parts.push(ANY);
    else if (character === '_') parts.push(ONE);
    else if (character !== '\\') parts.push(character);
    else parts.push(escaped(characters[++at]));
  }
  return { parts, caseless };
}

function escaped(character: string | undefined): string {
  if (character === '%' || character === '_' || character === '\\') return character;
  throw new ShareError(400, 'like has a backslash before what needs none');
}

/** Undefined: the text is too long to say. */
export function matchesLike({ parts, caseless }: LikePattern, text: string): boolean | undefined {
  if (text.length > MAX_TEXT_LENGTH) return undefined;
  const characters = Array.from(caseless ? fold(text) : text);
  let [part, at] = [0, 0];
  // Where to go on when it doesn't work out: the last % takes one character more. Earlier ones never need to.
  let [retryPart, retryAt] = [-1, 0];
  while (at < characters.length) {
    if (parts[part] === ANY) {
      [retryPart, retryAt] = [++part, at];
    } else if (part < parts.length && (parts[part] === ONE || parts[part] === characters[at])) {
      part++;
      at++;
    } else if (retryPart >= 0) {
      [part, at] = [retryPart, ++retryAt];
    } else {
      return false;
    }
  }
  while (parts[part] === ANY) part++;
  return part === parts.length;
}
