import { parseArgs } from 'node:util';
import { PEER_KINDS, type PeerKind } from '../support/peers/index.js';
import { ROWS, type Row } from './rows.js';
import { SIDE_NAMES, type SideName } from './sides/index.js';

export interface BenchOptions {
  readonly server: PeerKind;
  readonly rows: readonly Row[];
  readonly sides: readonly SideName[];
  readonly rounds: number;
  /** How often the work is done on other files before it is timed. */
  readonly used: number;
  /** Each is a run of its own; 0: as the wire is. */
  readonly roundTripsMs: readonly number[];
  readonly bytesPerSecond: number;
  readonly mountOptions: readonly string[];
  readonly awake: boolean;
}

const list = (names: readonly string[]): string => names.join(', ');

export const HELP = `npm run bench -- [OPTIONS]

Measures a mount beside others on the same server. All sides of a row run directly after each other, round after round, so that
whatever else the machine does meets all of them; the median counts. Before each measurement the side is mounted anew.

  --server KIND     ${list(PEER_KINDS)}; default: share
  --rows NAME,…     default: all
  --sides NAME,…    default: all that are there, but for those with fuse-native
  --rounds N        default: 3
  --used N          mounts that have been in use: the work was done N times, on other files, before it is timed; what is timed is as
                    cold as without. Programs that compile themselves while they run (davport) are slower the first times
  --rtt MS,…        adds a round-trip time to the wire; several values: a run for each
  --bandwidth MB/S  limits the wire, each direction (1 MB: 1,000,000 bytes)
  --options OPT,…   options of davport's mount, as with mount -o
  --awake           keeps the processors from halting: on a virtual machine waking one costs more than many an operation
  --help

Rows:
${ROWS.map(({ name, title, unit }) => `  ${name.padEnd(17)} ${title}, ${unit}`).join('\n')}

Sides:
  davport           davport mount, of a share over a unix socket
  null              a file system that does nothing, on the same bridge
  raw               a plain undici client on the same channel
  mux               bytes through the multiplexer alone
  davfs2, rclone, gvfs  where they are installed, on the same server over HTTP
  local             the served folder itself
  fuse-native, null-fuse-native  the same on the other bridge`;

const OTHERS: readonly SideName[] = ['fuse-native', 'null-fuse-native'];

/** Undefined: help is asked for. Throws what is wrong with `args`. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      server: { type: 'string', default: 'share' },
      rows: { type: 'string' },
      sides: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      used: { type: 'string', default: '0' },
      rtt: { type: 'string', default: '0' },
      bandwidth: { type: 'string' },
      options: { type: 'string' },
      awake: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const usual = SIDE_NAMES.filter((name) => !OTHERS.includes(name));
  const rows = chosen(
    values.rows,
    ROWS.map(({ name }) => name),
  );
  return {
    server: chosen(values.server, PEER_KINDS)[0]!,
    rows: ROWS.filter(({ name }) => rows.includes(name)),
    sides: values.sides === undefined ? usual : chosen(values.sides, SIDE_NAMES),
    rounds: positive('--rounds', values.rounds),
    used: notNegative('--used', values.used),
    roundTripsMs: values.rtt.split(',').map((each) => notNegative('--rtt', each)),
    bytesPerSecond:
      values.bandwidth === undefined ? Infinity : positive('--bandwidth', values.bandwidth) * 1e6,
    mountOptions: values.options?.split(',') ?? [],
    awake: values.awake,
  };
}

function chosen<T extends string>(text: string | undefined, all: readonly T[]): readonly T[] {
  if (text === undefined) return all;
  return text.split(',').map((word) => {
    const found = all.find((each) => each === word);
    if (found === undefined) throw new Error(`${word} is none of ${list(all)}`);
    return found;
  });
}

function notNegative(name: string, text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value < Infinity) || text === '')
    throw new Error(`${name} ${text}: no number`);
  return value;
}

function positive(name: string, text: string): number {
  const value = notNegative(name, text);
  if (value === 0) throw new Error(`${name} 0: too little`);
  return value;
}
