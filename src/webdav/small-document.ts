/** Small XML documents of known purpose, read at once: error bodies and the like. Listings go through multistatus.ts. */
import { XMLParser } from 'fast-xml-parser';

const MAX_LENGTH = 64 * 1024;

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  parseTagValue: false,
  processEntities: false,
});

type Node = Readonly<Record<string, unknown>>;

/**
 * The precondition or postcondition that an error body names (RFC 4918 16): the first element in {DAV:}error. Prefixes are not
 * resolved: a condition is a hint for messages and for telling one 403 or 409 from another, never a reason to do something.
 */
export function readCondition(body: Buffer): string | undefined {
  if (body.length === 0 || body.length > MAX_LENGTH) return undefined;
  const text = body.toString('utf8');
  if (!/^\s*(<\?xml|<[\w.-]*:?error)/.test(text) || text.includes('<!DOCTYPE')) return undefined;
  const root = parse(text).find((node) => localName(node) === 'error');
  const children = root && Object.values(root)[0];
  if (!Array.isArray(children)) return undefined;
  const first = (children as Node[]).map(localName).find((name) => name !== '#text');
  return first;
}

/** The parser is lenient about what is cut off or ill-formed, which is good enough here. */
function parse(text: string): Node[] {
  try {
    return parser.parse(text) as Node[];
  } catch {
    return [];
  }
}

function localName(node: Node): string {
  const qname = Object.keys(node)[0] ?? '';
  return qname.slice(qname.indexOf(':') + 1);
}
