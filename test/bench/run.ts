/**
 * npm run bench -- [--peer share,spice,chezdav,apache] [--only read,write,random,walk,create,stat] [--repeat N]
 *
 * All sides of one workload run directly after each other, so that whatever else the machine does meets all of them; of several rounds the
 * median counts.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cleanUp } from '../support/cleanup.js';
import { PEER_KINDS, type PeerKind } from '../support/peers/index.js';
import { run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { davportSide, fill, localSide, nullSide, type Bridge, type Side } from './sides.js';

interface Workload {
  readonly title: string;
  readonly unit: string;
  /** Figure in `unit`. */
  readonly rate: (result: Measured) => number;
}

interface Measured {
  readonly done: number;
  readonly seconds: number;
}

interface Cell {
  readonly figure: number;
  readonly requests: number | undefined;
}

const perSecond = ({ done, seconds }: Measured): number => done / seconds;

const WORKLOADS: Readonly<Record<string, Workload>> = {
  read: { title: 'read 256 MiB', unit: 'MiB/s', rate: perSecond },
  write: { title: 'write 256 MiB', unit: 'MiB/s', rate: perSecond },
  random: { title: '1,000 random reads of 4 KiB', unit: 'reads/s', rate: perSecond },
  walk: { title: 'walk of 10,000 files', unit: 'files/s', rate: perSecond },
  create: { title: 'create 1,000 files of 1 kB', unit: 'files/s', rate: perSecond },
  stat: { title: '5,000 stats, warm', unit: 'stats/s', rate: perSecond },
};

const BRIDGES: readonly Bridge[] = ['kernel', 'fuse-native'];
const LIMIT_MS = 180_000;

function chosen<T extends string>(text: string | undefined, all: readonly T[]): readonly T[] {
  if (text === undefined) return all;
  return text.split(',').map((word) => {
    const found = all.find((each) => each === word);
    if (found === undefined) throw new Error(`${word} is none of ${all.join(', ')}`);
    return found;
  });
}

async function measure(work: string, side: Side): Promise<Cell | string> {
  await side.fresh();
  const before = await side.requests();
  const program = fileURLToPath(new URL('workload.py', import.meta.url));
  const result = await run('/usr/bin/python3', [program, work, side.dir], {
    timeoutMs: LIMIT_MS,
    accept: 'any',
  }).catch((error: unknown) => String(error));
  if (typeof result === 'string') return result;
  if (result.code !== 0) return result.stderr.trim().split('\n').at(-1) ?? 'failed';
  const after = await side.requests();
  await side.clear();
  const figure = WORKLOADS[work]!.rate(JSON.parse(result.stdout) as Measured);
  return { figure, requests: after === undefined ? undefined : after - (before ?? 0) };
}

function median(cells: readonly (Cell | string)[]): Cell | string {
  const good = cells.filter((cell): cell is Cell => typeof cell !== 'string');
  good.sort((a, b) => a.figure - b.figure);
  return good[Math.floor(good.length / 2)] ?? cells[0] ?? 'not run';
}

function show(side: Side, cell: Cell | string, unit: string): void {
  const name = side.name.padEnd(22);
  if (typeof cell === 'string') {
    console.log(`  ${name} failed: ${cell.slice(0, 200)}`);
    return;
  }
  const digits = cell.figure < 100 ? 1 : 0;
  const requests = cell.requests === undefined ? '' : `${cell.requests} requests`;
  console.log(`  ${name} ${cell.figure.toFixed(digits).padStart(9)} ${unit.padEnd(8)} ${requests}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      peer: { type: 'string' },
      only: { type: 'string' },
      repeat: { type: 'string', default: '3' },
    },
  });
  const peers = chosen<PeerKind>(values.peer ?? 'share', PEER_KINDS);
  const works = chosen(values.only, Object.keys(WORKLOADS));
  const sides = [await localSide(), ...(await Promise.all(BRIDGES.map(nullSide)))];
  for (const kind of peers) {
    for (const bridge of BRIDGES) {
      const served = makeTempDir('davport-bench-');
      fill(served);
      sides.push(await davportSide(kind, bridge, served));
    }
  }
  for (const work of works) {
    const { title, unit } = WORKLOADS[work]!;
    console.log(`${title}:`);
    const cells = sides.map((): (Cell | string)[] => []);
    for (let round = 0; round < Number(values.repeat); round++) {
      for (const [at, side] of sides.entries()) cells[at]!.push(await measure(work, side));
    }
    sides.forEach((side, at) => show(side, median(cells[at]!), unit));
  }
  for (const side of sides) await side.end();
}

try {
  await main();
} finally {
  await cleanUp();
}
