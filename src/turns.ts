/** Long work in the event loop is done in turns: whoever waits for an answer meanwhile is not to notice. */
import { performance } from 'node:perf_hooks';
import { setImmediate as nextImmediate } from 'node:timers/promises';

/** Of one turn of the event loop, for all such work together. */
const MOST_MS = 4;

let begunAt: number | undefined;

/** Whether more may be done before others get their turn. */
export function hasTime(): boolean {
  const now = performance.now();
  if (begunAt === undefined) {
    begunAt = now;
    setImmediate(() => (begunAt = undefined));
  }
  return now - begunAt < MOST_MS;
}

export async function nextTurn(): Promise<void> {
  await nextImmediate();
}
