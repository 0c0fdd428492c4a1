/** A side that is a folder: mounted by somebody, or a plain one. */
import { work } from '../worker.js';
import type { Measured, Side } from '../side.js';
import type { Row } from '../rows.js';
import type { Server } from '../servers.js';
import { run } from '../../support/run.js';

export interface Mounted {
  readonly name: string;
  /** The folder with the files. */
  dir(): string;
  /** The folder that the server has. */
  readonly served: string;
  readonly server?: Server;
  remount(): Promise<void>;
  memory(): number | undefined;
  end(): Promise<void>;
}

export function mountedSide(mounted: Mounted): Side {
  const { server } = mounted;
  return {
    name: mounted.name,
    can: () => true,
    fresh: () => mounted.remount(),
    measure: (row: Row): Promise<Measured> =>
      work({
        name: row.name,
        dir: mounted.dir(),
        served: mounted.served,
        ...(server && { requests: () => settled(server) }),
      }),
    use: async ({ name }: Row, place: string): Promise<void> => {
      await work({ name, dir: mounted.dir() + place, served: mounted.served + place });
    },
    memory: () => mounted.memory(),
    clear: async () => {
      await run('/bin/sh', [
        '-c',
        'rm -rf "$1"/written/* "$1"/used*/written/*',
        'sh',
        mounted.served,
      ]);
    },
    end: () => mounted.end(),
  };
}

const SETTLE_MS = 30;

/** A request is in the log some time after its answer: all are when no more come. */
async function settled(server: Server): Promise<number | undefined> {
  for (let last = -1; ;) {
    const now = await server.requests();
    if (now === undefined || now === last) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }
}
