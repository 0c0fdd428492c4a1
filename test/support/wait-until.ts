import { setTimeout as delay } from 'node:timers/promises';

/** Polls `condition` until it gives something truthy, and returns that; fails with `what` after `timeoutMs`. */
export async function waitUntil<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 10_000,
  stepMs = 20,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(stepMs);
  }
}
