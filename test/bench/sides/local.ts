/** The served folder itself: what the programs cost when nothing is mounted. */
import type { Side } from '../side.js';
import { mountedSide } from './mounted.js';

export function localSide(dir: string): Side {
  return mountedSide({
    name: 'local',
    dir: () => dir,
    served: dir,
    remount: async () => undefined,
    memory: () => undefined,
    end: async () => undefined,
  });
}
