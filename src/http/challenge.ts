/** Challenges of WWW-Authenticate (RFC 9110 11.6.1). */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly params: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const SEPARATORS = /[\s,]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;

/** Reads the field's list of challenges; what can't be read ends the list. */
export function parseChallenges(field: string): Challenge[] {
  const reader = new FieldReader(field);
  const challenges: { scheme: string; params: Map<string, string> }[] = [];
  for (;;) {
    reader.skip(SEPARATORS);
    const name = reader.take(TOKEN);
    if (name === undefined) return challenges;
    const value = reader.skip(EQUALS) ? reader.value() : undefined;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), params: new Map() });
    else challenges.at(-1)?.params.set(name.toLowerCase(), value);
  }
}

class FieldReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match[1] ?? match[0];
  }

  /** True when something was skipped. */
  skip(pattern: RegExp): boolean {
    const text = this.take(pattern);
    return text !== undefined && text !== '';
  }

  value(): string | undefined {
    const quoted = this.take(QUOTED);
    return quoted === undefined ? this.take(TOKEN) : quoted.replace(/\\(.)/g, '$1');
  }
}
