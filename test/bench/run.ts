/** npm run bench -- --help */
import { mkdirSync } from 'node:fs';
import { cleanUp } from '../support/cleanup.js';
import { makeTempDir } from '../support/temp-dir.js';
import { stayAwake } from './awake.js';
import { makeFiles } from './files.js';
import { HELP, parseOptions, type BenchOptions } from './options.js';
import { formatRow, LEGEND, type Line, type Outcome } from './report.js';
import { figureOf, type Row } from './rows.js';
import { Servers } from './servers.js';
import type { Side } from './side.js';
import { startSide } from './sides/index.js';

/** A folder for each time that the work is done before it is timed. */
const places = (used: number): string[] => Array.from({ length: used }, (_, at) => `/used${at}`);

async function measure(row: Row, side: Side, used: number): Promise<Outcome> {
  try {
    await side.fresh();
    for (const place of places(used)) await side.use?.(row, place);
    const { done, seconds, requests } = await side.measure(row);
    const figure = figureOf(row, done, seconds);
    const memory = side.memory();
    await side.clear();
    return { figure, requests, memory };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function measureRow(
  row: Row,
  sides: readonly Side[],
  { rounds, used }: BenchOptions,
): Promise<Line[]> {
  const able = sides.filter((side) => side.can(row));
  const outcomes = able.map((): Outcome[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, side] of able.entries()) {
      // Who failed once is not waited for again.
      if (outcomes[at]!.some((each) => typeof each === 'string')) continue;
      outcomes[at]!.push(await measure(row, side, used));
    }
  }
  return able.map((side, at) => ({ side: side.name, outcomes: outcomes[at]! }));
}

async function runWith(options: BenchOptions, dir: string, roundTripMs: number): Promise<void> {
  const { server, bytesPerSecond, mountOptions } = options;
  const slow = roundTripMs > 0 || bytesPerSecond < Infinity;
  const servers = new Servers(server, dir, slow ? { roundTripMs, bytesPerSecond } : undefined);
  const link = slow ? `, ${roundTripMs} ms round trip, ${bytesPerSecond / 1e6} MB/s` : '';
  console.log(`${server}${link}`);
  const sides: Side[] = [];
  for (const name of options.sides) {
    const side = await startSide(name, { servers, dir, options: mountOptions });
    if (side === undefined) console.log(`  ${name} is not to be had here`);
    else sides.push(side);
  }
  const owner = await servers.get('http');
  await owner?.adopt();
  for (const row of options.rows) {
    console.log(formatRow(row, await measureRow(row, sides, options)));
  }
  for (const side of sides) await side.end();
  await servers.stop();
}

async function main(options: BenchOptions): Promise<void> {
  const dir = makeTempDir('davport-bench-served-');
  await makeFiles(dir);
  for (const place of places(options.used)) {
    mkdirSync(dir + place);
    await makeFiles(dir + place);
  }
  if (options.awake) stayAwake();
  for (const roundTripMs of options.roundTripsMs) await runWith(options, dir, roundTripMs);
  console.log(LEGEND);
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(HELP);
  else await main(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
} finally {
  await cleanUp();
}
process.exit();
