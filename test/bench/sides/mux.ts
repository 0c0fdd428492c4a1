/** Bytes through the multiplexer alone, between two processes on a unix socket: see mux-throughput.ts. */
import { fileURLToPath } from 'node:url';
import { run } from '../../support/run.js';
import { BIG_BYTES } from '../files.js';
import type { Row } from '../rows.js';
import type { Measured, Side } from '../side.js';

const PROGRAM = fileURLToPath(new URL('../mux-throughput.js', import.meta.url));

export function muxSide(name: string): Side {
  return {
    name,
    can: (row) => row.streams !== undefined,
    fresh: async () => undefined,
    async measure({ streams }: Row): Promise<Measured> {
      const args = [PROGRAM, String(BIG_BYTES / 1e6), String(streams)];
      const { stdout } = await run(process.execPath, args);
      const rates = [...stdout.matchAll(/^down +([\d.]+) GB\/s wall/gm)].map(([, rate]) =>
        Number(rate),
      );
      // The first one pays for what is compiled.
      return { done: BIG_BYTES, seconds: BIG_BYTES / 1e9 / rates.at(-1)! };
    },
    memory: () => undefined,
    clear: async () => undefined,
    end: async () => undefined,
  };
}
