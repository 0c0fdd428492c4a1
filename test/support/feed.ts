import { bash } from './run.js';
import type { Scene } from './scenario.js';
import { waitUntil } from './wait-until.js';

/** In the log of a mount with log_level=debug. */
export const FEED_IS_OPEN = 'the feed of changes is open';

/** The first request of all takes the feed up. */
export async function feedIsOpen({ dir, mount }: Scene): Promise<void> {
  await bash('stat "$1"', [dir]);
  await waitUntil('the feed', () => mount.log().includes(FEED_IS_OPEN));
}
