/**
 * npm run bench:share -- [--sides share,channel,chezdav,apache,nephele,null] [--rows NAME,…] [--rounds N] [--seconds N]
 *                        [--mib N] [--entries N]
 * npm run bench:share -- --soak [--requests N] [--gib N] [--sides share,channel]
 *
 * Servers beside each other: each round measures all sides of a row in turns, so that whatever else the machine does meets all of them; the
 * median of the rounds counts. `channel` is the share behind the multiplexer on a unix socket, `null` a server that does nothing: the
 * most that the generator could measure. --soak watches the memory over many requests and bytes instead.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cleanUp, onCleanup } from '../../support/cleanup.js';
import { COMMON_PROPERTIES, probeListing } from './listing-probe.js';
import type { Job, Outcome } from './load.js';
import { SIDE_NAMES, startSide, type Side, type SideName } from './sides.js';

const { values: given } = parseArgs({
  options: {
    sides: { type: 'string' },
    rows: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    mib: { type: 'string', default: '256' },
    entries: { type: 'string', default: '10000' },
    soak: { type: 'boolean', default: false },
    requests: { type: 'string', default: '100000' },
    gib: { type: 'string', default: '10' },
  },
});

const SMALL_GET = 4096;
const SMALL_PUT = 1024;
const LARGE = Number(given.mib) << 20;
/** Of a column. */
const WIDTH = 24;
const SECONDS = Number(given.seconds);

interface Figure {
  readonly figure: number;
  /** Processor time of the server for one request, in µs: less at the mercy of what else the machine does. */
  readonly work: number;
}

interface Row {
  readonly name: string;
  readonly unit: string;
  /** Is less better? */
  readonly time?: boolean;
  measure(side: Side): Promise<Figure>;
}

type Loaded = Outcome & { readonly work: number };

let generator: ChildProcess | undefined;

function startGenerator(): ChildProcess {
  const program = fileURLToPath(new URL('load.js', import.meta.url));
  const child = fork(program);
  onCleanup({
    run: async () => void child.kill('SIGKILL'),
    runSync: () => void child.kill('SIGKILL'),
  });
  return child;
}

async function load(side: Side, job: Partial<Job> & Pick<Job, 'kind' | 'path'>): Promise<Loaded> {
  generator ??= startGenerator();
  const defaults = { clients: 1, names: 0, bytes: 0, seconds: SECONDS, requests: Infinity };
  const message = { ...defaults, ...job, target: side.target };
  // JSON has no Infinity.
  const before = side.busy();
  generator.send({ ...message, requests: Math.min(message.requests, 1e9) });
  const [outcome] = (await once(generator, 'message')) as [Outcome | { error: string }];
  if ('error' in outcome) throw new Error(`${side.name}: ${outcome.error}\n${side.log()}`);
  if (outcome.failures > 0) throw new Error(`${side.name}: ${outcome.failures} failed`);
  return { ...outcome, work: ((side.busy() - before) * 1e6) / outcome.requests };
}

const perSecond = ({ requests, seconds, work }: Loaded): Figure => ({
  figure: requests / seconds,
  work,
});
const megabytes = ({ seconds, work }: Loaded): Figure => ({ figure: LARGE / 1e6 / seconds, work });

function smallGet(clients: number): Row {
  return {
    name: `get-${clients}`,
    unit: 'GET of 4 KiB per second',
    measure: async (side) => perSecond(await load(side, { kind: 'get', path: '/small', clients })),
  };
}

function smallPut(clients: number, names: number): Row {
  const kind = 'put';
  return {
    name: `${names === 0 ? 'put' : 'replace'}-${clients}`,
    unit: `PUT of 1 KiB per second, ${names === 0 ? 'new files' : 'files that are there'}`,
    async measure(side) {
      const path = `${await side.freshFolder()}f`;
      const job = { kind, path, clients, names, bytes: SMALL_PUT } as const;
      if (names > 0) await load(side, { ...job, requests: names });
      return perSecond(await load(side, job));
    },
  };
}

const ONCE = { seconds: 300, requests: 1 };

const ROWS: readonly Row[] = [
  ...[1, 8].map(smallGet),
  ...[1, 8].map((clients) => smallPut(clients, 0)),
  ...[1, 8].map((clients) => smallPut(clients, 64)),
  {
    name: 'download',
    unit: `MB/s, GET of ${given.mib} MiB`,
    measure: async (side) =>
      megabytes(await load(side, { kind: 'download', path: '/large', ...ONCE })),
  },
  {
    name: 'upload',
    unit: `MB/s, PUT of ${given.mib} MiB`,
    async measure(side) {
      const path = `${await side.freshFolder()}large`;
      return megabytes(await load(side, { kind: 'upload', path, bytes: LARGE, ...ONCE }));
    },
  },
  {
    name: 'first-byte',
    unit: `ms to the first byte of a PROPFIND of ${given.entries} entries`,
    time: true,
    measure: (side) => list(side, 'firstByteMs'),
  },
  {
    name: 'listing',
    unit: `ms for a PROPFIND of ${given.entries} entries`,
    time: true,
    measure: (side) => list(side, 'wholeMs'),
  },
];

/** The channel and the server that does nothing have no listing. */
async function list(side: Side, what: 'firstByteMs' | 'wholeMs'): Promise<Figure> {
  const { port } = side.target;
  if (port === undefined || side.name === 'null') return { figure: NaN, work: NaN };
  const before = side.busy();
  const times = await probeListing({ port, host: '127.0.0.1' }, '/list/', COMMON_PROPERTIES);
  return { figure: times[what], work: (side.busy() - before) * 1e6 };
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? NaN;
}

const show = (figure: number): string =>
  Number.isNaN(figure) ? '-' : figure.toFixed(figure < 100 ? 1 : 0);

async function measureRow(row: Row, sides: readonly Side[]): Promise<void> {
  const all = new Map<SideName, Figure[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(given.rounds); round++) {
    // No side is always the first.
    for (let at = 0; at < sides.length; at++) {
      const side = sides[(at + round) % sides.length]!;
      all.get(side.name)!.push(await row.measure(side).catch(complain));
    }
  }
  const cells = sides.map(({ name }) => ({
    figure: median(all.get(name)!.map(({ figure }) => figure)),
    work: median(all.get(name)!.map(({ work }) => work)),
  }));
  const own = cells[sides.findIndex(({ name }) => name === 'share')]?.figure ?? NaN;
  const text = cells.map(({ figure, work }) => {
    if (Number.isNaN(figure)) return '-'.padStart(8).padEnd(WIDTH);
    // Over 1: the share is better by this much.
    const ratio = row.time === true ? figure / own : own / figure;
    return `${show(figure).padStart(8)} ×${ratio.toFixed(2).padEnd(6)}${work.toFixed(0)}`.padEnd(
      WIDTH,
    );
  });
  console.log(`${row.name.padEnd(11)}${text.join('')} ${row.unit}`);
}

function complain(error: unknown): Figure {
  console.log(String(error));
  return { figure: NaN, work: NaN };
}

function chosen<T extends string>(text: string | undefined, all: readonly T[]): readonly T[] {
  return text === undefined ? all : all.filter((each) => text.split(',').includes(each));
}

async function compare(sides: readonly Side[]): Promise<void> {
  const rows = chosen(
    given.rows,
    ROWS.map(({ name }) => name),
  );
  for (const side of sides) await warmUp(side);
  const before = sides.map((side) => side.memory());
  console.log(
    `${''.padEnd(11)}${sides.map(({ name }) => name.padStart(8).padEnd(WIDTH)).join('')}`,
  );
  for (const row of ROWS) if (rows.includes(row.name)) await measureRow(row, sides);
  const memory = sides.map((side, at) =>
    `${show(before[at]!)} → ${show(side.memory())}`.padEnd(16),
  );
  console.log(`${'memory'.padEnd(12)}${memory.join('')} MiB resident, before and after`);
  console.log(
    '×N: the share is N times as good as this side. Behind it: processor time per request, µs.',
  );
}

/** Some programs become fast with use only, and a server runs for long. */
async function warmUp(side: Side): Promise<void> {
  const job = { clients: 8, seconds: 5 };
  await load(side, { ...job, kind: 'get', path: '/small', requests: 3000 });
  const path = `${await side.freshFolder()}f`;
  await load(side, { ...job, kind: 'put', path, bytes: SMALL_PUT, requests: 1000 });
}

/** Memory over many requests, and over many bytes each way. */
async function soak(side: Side): Promise<void> {
  const tell = (what: string): void =>
    console.log(`${side.name}: ${show(side.memory())} MiB ${what}`);
  const requests = Number(given.requests);
  const forever = { seconds: 3600, requests: Math.ceil(requests / 10), clients: 8 };
  tell('at first');
  for (let tenth = 1; tenth <= 5; tenth++) {
    await load(side, { kind: 'get', path: '/small', ...forever });
    const path = `${await side.freshFolder()}f`;
    await load(side, { kind: 'put', path, names: 1000, bytes: SMALL_PUT, ...forever });
    tell(`after ${(requests / 5) * tenth} requests`);
  }
  const times = Math.ceil((Number(given.gib) * 2 ** 30) / LARGE / 2);
  for (let half = 1; half <= times; half++) {
    await load(side, { kind: 'download', path: '/large', ...ONCE });
    const path = `${await side.freshFolder()}large`;
    await load(side, { kind: 'upload', path, bytes: LARGE, ...ONCE });
    if (half % Math.ceil(times / 5) === 0 || half === times) {
      tell(`after ${show((half * 2 * LARGE) / 2 ** 30)} GiB`);
    }
  }
}

async function main(): Promise<void> {
  const names = chosen(given.sides ?? (given.soak ? 'share,channel' : undefined), SIDE_NAMES);
  const files = { small: SMALL_GET, large: LARGE, entries: Number(given.entries) };
  const sides: Side[] = [];
  for (const name of names) sides.push(await startSide(name, files));
  if (!given.soak) await compare(sides);
  else for (const side of sides) await soak(side);
}

try {
  await main();
} finally {
  await cleanUp();
}
process.exit(0);
