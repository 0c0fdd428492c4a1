/**
 * node scripts/compiled.mjs test/bench/share/listing.ts [--entries N] [--rounds N]
 *
 * PROPFIND of Depth 1, share beside Apache, in turns: first byte and whole, the median of all rounds. Needs dist/.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUp } from '../../support/cleanup.js';
import { startDavport } from '../../support/davport.js';
import { startApache } from '../../support/peers/apache.js';
import { freePort } from '../../support/ports.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { COMMON_PROPERTIES, probeListing, type ListingTimes } from './listing-probe.js';

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '7' },
  },
});

function median(of: readonly number[]): number {
  return [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)] ?? NaN;
}

async function startShare(dir: string): Promise<number> {
  const port = await freePort();
  const server = startDavport(['share', dir, `tcp-listen:127.0.0.1:${port}`, '--http']);
  await waitUntil('share', async () => {
    if (!server.running) throw new Error(server.log());
    return probeListing({ port, host: '127.0.0.1' }, '/', '').then(
      () => true,
      () => false,
    );
  });
  return port;
}

async function main(): Promise<void> {
  const dir = makeTempDir('davport-listing-');
  for (let at = 0; at < Number(values.entries); at++) {
    writeFileSync(join(dir, `file-${at}.txt`), 'x');
  }
  const apache = await startApache(dir);
  const sides = [
    { name: 'share', port: await startShare(dir) },
    { name: 'apache', port: Number(new URL(apache.channel).port) },
  ];
  for (const [title, body] of [
    ['named properties', COMMON_PROPERTIES],
    ['all properties', ''],
  ] as const) {
    const times = new Map<string, ListingTimes[]>(sides.map(({ name }) => [name, []]));
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const { name, port } of sides) {
        times.get(name)!.push(await probeListing({ port, host: '127.0.0.1' }, '/', body));
      }
    }
    for (const [name, all] of times) {
      const [first, whole] = [all.map((t) => t.firstByteMs), all.map((t) => t.wholeMs)];
      console.log(
        `${title}, ${name}: first byte ${median(first).toFixed(1)} ms, whole ${median(whole).toFixed(0)} ms ` +
          `(best ${Math.min(...whole).toFixed(0)}), ${all[0]!.bytes} bytes`,
      );
    }
  }
}

try {
  await main();
} finally {
  await cleanUp();
}
process.exit(0);
