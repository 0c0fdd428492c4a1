/**
 * The locks that this client holds, by path: a change of what is locked has to submit the token (RFC 4918 section 7.5), in the same If
 * header that may carry other conditions.
 */
import { isBelow } from './href.js';

export class LockTokens {
  readonly #byPath = new Map<string, string>();
  /** A change that submitted tokens was refused with 412: one of them may be of a lock that is no more. */
  onDoubt: (path: string) => void = () => undefined;

  set(path: string, token: string): void {
    this.#byPath.set(path, token);
  }

  delete(path: string): void {
    this.#byPath.delete(path);
  }

  get(path: string): string | undefined {
    return this.#byPath.get(path);
  }

  /** Paths at or below `path` that are locked. */
  within(path: string): string[] {
    if (this.#byPath.size === 0) return [];
    return [...this.#byPath.keys()].filter((locked) => locked === path || isBelow(locked, path));
  }
}

const LIST = /(?:<([^<>\s]+)>\s*)?\(([^()]*)\)/g;

/**
 * The If header with the tokens in it, by URL. `field`: what this client says otherwise, of which each list holds for itself and names
 * one resource once. `requestUrl`: what a list without a tag is about; Apache holds such a list against parent and destination, too, so
 * that all get one.
 */
export function submitTokens(
  field: string | undefined,
  requestUrl: string,
  tokens: ReadonlyMap<string, string>,
): string {
  const said = new Map<string, string>();
  for (const [, tag, conditions] of (field ?? '').matchAll(LIST)) {
    said.set(tag ?? requestUrl, conditions!);
  }
  for (const [url, token] of tokens) {
    const conditions = said.get(url);
    said.set(url, `<${token}>${conditions === undefined ? '' : ` ${conditions}`}`);
  }
  return [...said].map(([url, conditions]) => `<${url}> (${conditions})`).join(' ');
}
