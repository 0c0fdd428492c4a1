/**
 * npm run bench:hot -- [--only getattr,lookup,listing,read4k,read128k,read1m] [--repeat N] [--place free,same,apart] [-o OPTIONS]
 *
 * What one operation costs that is answered from memory, beside the file system that does nothing on the same bridge: µs of CPU of the process that
 * serves the mount, and µs that the caller waits. Both sides in turns; medians. `--place`: where caller and server may run; on one CPU, on
 * different ones, or as the kernel likes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBackground, type Background } from '../../support/background.js';
import { cleanUp, onCleanup } from '../../support/cleanup.js';
import { abortMounts, mountsAt } from '../../support/mountinfo.js';
import { startPeer } from '../../support/peers/index.js';
import { run } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { makeSmallFiles } from '../files.js';

const COUNTS: Readonly<Record<string, number>> = {
  getattr: 20_000,
  lookup: 20_000,
  listing: 300,
  read4k: 10_000,
  read128k: 4000,
  read1m: 1000,
};

interface Side {
  readonly name: string;
  readonly dir: string;
  readonly server: Background;
}

interface Cost {
  readonly cpuUs: number;
  readonly waitUs: number;
}

/** Of all threads. */
function cpuNs(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  }
  return sum;
}

async function startSide(name: string, list: string, channel?: string): Promise<Side> {
  const dir = makeTempDir('davport-bench-');
  const script = fileURLToPath(new URL('served.js', import.meta.url));
  const flags = (process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter(Boolean);
  const args = [...flags, script, dir, list, ...(channel ? [channel] : [])];
  const server = startBackground(process.execPath, args);
  onCleanup({
    run: () => run('umount', ['-l', dir], { accept: 'any' }).then(() => undefined),
    runSync: () => abortMounts(dir),
  });
  await waitUntil(`the mount of ${name}`, () => {
    if (!server.running) throw new Error(server.log());
    return mountsAt(dir).length > 0;
  });
  return { name, dir, server };
}

/** First CPU of the caller, and of the server; undefined: any. */
const PLACES: Readonly<Record<string, readonly [number, number] | undefined>> = {
  free: undefined,
  same: [0, 0],
  apart: [0, 1],
};

async function measure(side: Side, kind: string, place: string): Promise<Cost> {
  const cpu = PLACES[place];
  const all = `0-${cpus().length - 1}`;
  await run('taskset', ['-acp', String(cpu?.[1] ?? all), String(side.server.pid)]);
  const calls = fileURLToPath(new URL('calls.py', import.meta.url));
  const python = ['/usr/bin/python3', calls, kind, side.dir];
  const caller = ['-c', String(cpu?.[0] ?? all), ...python];
  // What is cold is asked for once.
  await run('taskset', [...caller, '120']);
  const before = cpuNs(side.server.pid);
  const { stdout } = await run('taskset', [...caller, String(COUNTS[kind])]);
  const spent = cpuNs(side.server.pid) - before;
  const { done, seconds } = JSON.parse(stdout) as { done: number; seconds: number };
  return { cpuUs: spent / 1000 / done, waitUs: (seconds * 1e6) / done };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const of = (costs: readonly Cost[], key: keyof Cost): number => median(costs.map((c) => c[key]));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(COUNTS).join() },
      place: { type: 'string', default: 'free' },
      repeat: { type: 'string', default: '5' },
      options: { type: 'string', short: 'o', default: '' },
    },
  });
  const served = makeTempDir('davport-bench-');
  makeSmallFiles(served);
  const peer = await startPeer('share', served);
  const sides = [
    await startSide('null', values.options),
    await startSide('davport', values.options, peer.channel),
  ];
  console.log('operation  place   CPU µs: null  davport  ratio   wait µs: null  davport  ratio');
  for (const place of values.place.split(',')) {
    for (const kind of values.only.split(',')) {
      const costs = sides.map((): Cost[] => []);
      for (let round = 0; round < Number(values.repeat); round++) {
        for (const [at, side] of sides.entries()) costs[at]!.push(await measure(side, kind, place));
      }
      const [none, ours] = costs;
      const columns = (key: keyof Cost): string => {
        const [a, b] = [of(none!, key), of(ours!, key)];
        return `${a.toFixed(2).padStart(13)} ${b.toFixed(2).padStart(8)} ${(b / a).toFixed(2).padStart(6)}`;
      };
      console.log(`${kind.padEnd(10)} ${place.padEnd(6)} ${columns('cpuUs')} ${columns('waitUs')}`);
    }
  }
  for (const { dir, server } of sides) {
    await run('umount', ['-l', dir]);
    // Writes its profile, where it is asked for one.
    await waitUntil('the end of the server', () => !server.running);
  }
  await peer.stop();
}

try {
  await main();
} finally {
  await cleanUp();
}
