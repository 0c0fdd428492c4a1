import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from './seeded-random.js';

/** Checks a fast-check property for as many runs as fit into `timeMs`; prints the seed (TEST_SEED repeats it). */
export function checkProperty<Ts>(t: TestContext, property: fc.IProperty<Ts>, timeMs = 2000): void {
  const { seed } = new SeededRandom();
  t.diagnostic(`TEST_SEED=${seed}`);
  fc.assert(property, { seed, numRuns: 10_000, interruptAfterTimeLimit: timeMs });
}

/** As `checkProperty`, for what takes more than a turn of the loop. */
export async function checkAsyncProperty<Ts>(
  t: TestContext,
  property: fc.IAsyncProperty<Ts>,
  timeMs = 2000,
): Promise<void> {
  const { seed } = new SeededRandom();
  t.diagnostic(`TEST_SEED=${seed}`);
  await fc.assert(property, { seed, numRuns: 10_000, interruptAfterTimeLimit: timeMs });
}
