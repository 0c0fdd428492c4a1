/** The field Prefer (RFC 7240), as far as RFC 8144 has uses for it in WebDAV. */
import type { Exchange } from './exchange.js';
import type { Headers } from './response-head.js';

export interface Preferences {
  /** Nothing is told that the client can conclude itself. */
  readonly minimal: boolean;
  /** Members without the collection itself. */
  readonly noRoot: boolean;
}

const NONE: Preferences = { minimal: false, noRoot: false };

/** One preference with what belongs to it; a comma within quotes doesn't end it. */
const PREFERENCE = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g;

export function parsePreferences(exchange: Exchange): Preferences {
  const field = exchange.header('prefer');
  if (field === undefined) return NONE;
  const named = new Map<string, string>();
  for (const [preference] of field.matchAll(PREFERENCE)) {
    const match = /^\s*([^\s=;]+)\s*(?:=\s*"?([^\s";]*))?/.exec(preference);
    const name = match?.[1]?.toLowerCase();
    // Of several with one name the first counts (RFC 7240 section 2).
    if (name !== undefined && !named.has(name)) named.set(name, (match?.[2] ?? '').toLowerCase());
  }
  return { minimal: named.get('return') === 'minimal', noRoot: named.has('depth-noroot') };
}

/** What was honoured of them. */
export function preferenceApplied({ minimal, noRoot }: Preferences): Headers {
  const applied = [...(minimal ? ['return=minimal'] : []), ...(noRoot ? ['depth-noroot'] : [])];
  return applied.length === 0 ? {} : { 'Preference-Applied': applied.join(', ') };
}
