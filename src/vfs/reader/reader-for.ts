import type { ServerProfile } from '../../webdav/types.js';
import type { DataOptions } from '../content.js';
import type { ContentSource } from './content-source.js';
import { budgetOf } from './memory-budget.js';
import { WholePlan, WindowPlan } from './read-plan.js';
import { SegmentReader } from './segment-reader.js';
import { SpoolReader } from './spool-reader.js';

/** Up to here a file is one request and stays in memory. */
export const SMALL_FILE_BYTES = 1024 * 1024;

export function readerFor(
  source: ContentSource,
  profile: ServerProfile,
  options: DataOptions,
): SegmentReader | SpoolReader {
  const { size } = source.version;
  const budget = budgetOf(options.client, options.readAheadBytes);
  if (size <= SMALL_FILE_BYTES) return new SegmentReader(source, budget, new WholePlan(size));
  if (!profile.cheapRanges) return new SpoolReader(source, options.cacheDir);
  return new SegmentReader(source, budget, new WindowPlan(size, options.readAheadBytes / 2));
}
