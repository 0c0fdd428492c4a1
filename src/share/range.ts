/** Byte ranges (RFC 9110 section 14). */

export interface ByteRange {
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
}

/** Ranges closer to each other than a part's head and delimiter cost are one part (section 14.2). */
const MIN_GAP_BYTES = 128;
/** More parts than any client has use for: such a header is ignored (section 14.2). */
const MAX_PARTS = 256;

/**
 * The ranges of a Range header, in the order in which they were asked for, overlapping and close ones joined; 'whole' when the header
 * is to be ignored (another unit, malformed, too many), 'unsatisfiable' for 416.
 */
export function parseRanges(
  header: string | undefined,
  size: number,
): readonly ByteRange[] | 'whole' | 'unsatisfiable' {
  const specs = /^\s*bytes=(.*)$/i.exec(header ?? '')?.[1];
  if (specs === undefined) return 'whole';
  const ranges: ByteRange[] = [];
  let asked = 0;
  for (const spec of specs.split(',')) {
    // An empty element of a list means nothing (section 5.6.1).
    if (spec.trim() === '') continue;
    const range = parseSpec(spec, size);
    if (range === undefined) return 'whole';
    asked++;
    if (range.start < range.end) ranges.push(range);
  }
  if (asked === 0) return 'whole';
  if (ranges.length === 0) return 'unsatisfiable';
  const joined = ranges.length === 1 ? ranges : join(ranges);
  return joined.length > MAX_PARTS ? 'whole' : joined;
}

/** Undefined: malformed. Empty: outside of the file. */
function parseSpec(spec: string, size: number): ByteRange | undefined {
  const match = /^\s*(\d*)-(\d*)\s*$/.exec(spec);
  if (!match) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return undefined;
    return { start: size - Math.min(Number(last), size), end: size };
  }
  if (last !== '' && Number(last) < Number(first)) return undefined;
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  return { start: Math.min(Number(first), end), end };
}

/** A joined range stands where its first part was asked for. */
function join(ranges: readonly ByteRange[]): ByteRange[] {
  const sorted = ranges
    .map((range, asked) => ({ ...range, asked }))
    .sort((a, b) => a.start - b.start);
  const joined: { start: number; end: number; asked: number }[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last && range.start - last.end < MIN_GAP_BYTES) {
      last.end = Math.max(last.end, range.end);
      last.asked = Math.min(last.asked, range.asked);
    } else {
      joined.push(range);
    }
  }
  return joined.sort((a, b) => a.asked - b.asked).map(({ start, end }) => ({ start, end }));
}
