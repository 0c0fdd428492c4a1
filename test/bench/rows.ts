/** What is measured. `workload.py` has the work under the same names, `files.ts` what it is done on. */

/** What a plain client asks to get the same: without kernel, cache and file system. */
export type RawJob =
  | { readonly kind: 'get'; readonly paths: readonly string[]; readonly atOnce: number }
  | { readonly kind: 'ranges'; readonly path: string; readonly count: number }
  | { readonly kind: 'list'; readonly path: string };

export interface Row {
  readonly name: string;
  readonly title: string;
  readonly unit: 'MB/s' | 'files/s' | 'reads/s' | 'stats/s' | 's' | 'ms';
  /** Nothing was asked before. Others run when the same work was done a moment ago. */
  readonly cold: boolean;
  readonly raw?: RawJob;
  /** As many streams show what the multiplexer alone carries. */
  readonly streams?: number;
  /** The file system that does nothing has no such content. */
  readonly needsContent?: boolean;
}

/** What is changed, until the server has it. */
const change = (name: string, title: string, unit: Row['unit']): Row => ({
  name,
  title,
  unit,
  cold: true,
  needsContent: true,
});

const numbered = (count: number, name: (at: number) => string): string[] =>
  Array.from({ length: count }, (_, at) => name(at));
const smallFiles = numbered(1000, (at) => `/small/f${String(at).padStart(5, '0')}`);
const parallelFiles = numbered(4, (at) => `/parallel/p${at}`);

const get = (paths: readonly string[], atOnce = 1): RawJob => ({ kind: 'get', paths, atOnce });

export const ROWS: readonly Row[] = [
  { name: 'stat', title: '5,000 stats of 50 files, warm', unit: 'stats/s', cold: false },
  { name: 'ls', title: 'ls -l of 10,000 entries, warm', unit: 's', cold: false },
  { name: 'find', title: 'find with size of 10,000 files, warm', unit: 's', cold: false },
  {
    name: 'status',
    title: 'git status of 1,000 files, warm',
    unit: 's',
    cold: false,
    needsContent: true,
  },
  {
    name: 'read',
    title: 'read of 256 MiB, cold',
    unit: 'MB/s',
    cold: true,
    raw: get(['/big']),
    streams: 1,
  },
  {
    name: 'parallel',
    title: '4 reads of 64 MiB at once, cold',
    unit: 'MB/s',
    cold: true,
    raw: get(parallelFiles, 4),
    streams: 4,
  },
  {
    name: 'first',
    title: 'first 4 KiB of 256 MiB, cold',
    unit: 'ms',
    cold: true,
    raw: { kind: 'ranges', path: '/big', count: 1 },
  },
  {
    name: 'random',
    title: '2,000 random reads of 4 KiB in 256 MiB, cold',
    unit: 'reads/s',
    cold: true,
    raw: { kind: 'ranges', path: '/big', count: 2000 },
  },
  {
    name: 'small',
    title: 'open and read of 1,000 files of 4 KiB, cold',
    unit: 'files/s',
    cold: true,
    raw: get(smallFiles),
  },
  {
    name: 'walk',
    title: 'walk with stat of 10,000 files in 100 folders, cold',
    unit: 's',
    cold: true,
  },
  {
    name: 'ls-cold',
    title: 'ls -l of 10,000 entries, cold',
    unit: 's',
    cold: true,
    raw: { kind: 'list', path: '/flat/' },
  },
  {
    name: 'grep',
    title: 'grep -r of 10,000 files, cold',
    unit: 's',
    cold: true,
    needsContent: true,
  },
  { name: 'write', title: 'write of 256 MiB', unit: 'MB/s', cold: true },
  { name: 'create', title: '1,000 new files of 1 kB', unit: 'files/s', cold: true },
  change('tar', 'tar x of 1,500 files in 30 folders', 's'),
  change('copy', 'cp -r of 500 files', 's'),
  change('patch', '4 KiB written into 256 MiB', 'ms'),
  change('append', '1,000 lines appended, with open and close each', 's'),
  change('rename', '500 renames to another folder', 'files/s'),
  change('unlink', '1,000 files removed', 'files/s'),
  change('folders', '500 times mkdir and rmdir', 'files/s'),
  change('commit', 'git init, add and commit of 1,000 files', 's'),
];

export const lessIsBetter = ({ unit }: Row): boolean => unit === 's' || unit === 'ms';

/** In the unit of the row. */
export function figureOf({ unit }: Row, done: number, seconds: number): number {
  switch (unit) {
    case 's':
      return seconds;
    case 'ms':
      return seconds * 1000;
    case 'MB/s':
      return done / 1e6 / seconds;
    default:
      return done / seconds;
  }
}
