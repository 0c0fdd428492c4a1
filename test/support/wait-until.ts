import { setTimeout as delay } from 'node:timers/promises';

/** When the test itself was stopped for longer than it waits, the others still have to get on. */
export const FEWEST_LOOKS = 20;

/** Polls `condition` until it gives something truthy, and returns that; fails with `what` after `timeoutMs`. */
export async function waitUntil<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 10_000,
  stepMs = 20,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  const fewest = Math.min(FEWEST_LOOKS, timeoutMs / stepMs);
  for (let looks = 1; ; looks += 1) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline && looks >= fewest)
      throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(stepMs);
  }
}
