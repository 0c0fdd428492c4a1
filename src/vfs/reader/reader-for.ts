import type { ServerProfile } from '../../webdav/types.js';
import type { DataOptions } from '../content.js';
import type { ContentSource } from './content-source.js';
import { budgetOf } from './memory-budget.js';
import { WholePlan, WindowPlan } from './read-plan.js';
import { SegmentReader } from './segment-reader.js';
import { SpoolReader } from './spool-reader.js';

/** Up to here a file is one request and stays in memory while there is room … */
const SMALL_BYTES = 1024 * 1024;
/** … and up to here where the alternative is a file in cache_dir. */
const SMALL_BYTES_WITHOUT_RANGES = 8 * 1024 * 1024;

export function isSmall(size: number, profile: ServerProfile): boolean {
  return size <= (profile.cheapRanges ? SMALL_BYTES : SMALL_BYTES_WITHOUT_RANGES);
}

export function readerFor(
  source: ContentSource,
  profile: ServerProfile,
  options: DataOptions,
): SegmentReader | SpoolReader {
  const { size } = source.version;
  const budget = budgetOf(options.client, options.readAheadBytes);
  if (isSmall(size, profile)) return new SegmentReader(source, budget, new WholePlan(size));
  if (!profile.cheapRanges) return new SpoolReader(source, options.cacheDir);
  return new SegmentReader(source, budget, new WindowPlan(size));
}
