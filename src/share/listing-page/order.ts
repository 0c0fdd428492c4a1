/** By what a listing is sorted, and the sorting itself, which must not hold the event loop however long the folder is. */
import type { Slices } from '../../slices.js';

export const COLUMNS = ['name', 'size', 'date'] as const;
export type Column = (typeof COLUMNS)[number];

export interface Order {
  readonly column: Column;
  readonly descending: boolean;
}

export interface Row {
  readonly href: string;
  readonly name: string;
  /** What the name is sorted by. */
  readonly key: string;
  readonly isFolder: boolean;
  /** Undefined: it has none that could be downloaded. */
  readonly size: number | undefined;
  readonly modifiedSec: number;
}

/** `?sort=size&order=desc`; what isn't understood means the default. */
export function parseOrder(target: string): Order {
  const query = new URLSearchParams(/\?(.*)$/s.exec(target)?.[1] ?? '');
  const column = COLUMNS.find((name) => name === query.get('sort')) ?? 'name';
  return { column, descending: query.get('order') === 'desc' };
}

/** The default needs no query. */
export function formatOrder({ column, descending }: Order): string {
  if (column === 'name' && !descending) return '';
  return `?sort=${column}&order=${descending ? 'desc' : 'asc'}`;
}

/** Without regard to case, and with numbers in their order: the length of a run of digits comes before the digits. */
export function sortKey(name: string): string {
  const lower = name.toLowerCase();
  if (!/\d/.test(lower)) return lower;
  return lower.replace(/0*(\d+)/g, (_, digits: string) => {
    return `0${String.fromCharCode(digits.length)}${digits}`;
  });
}

type Compare = (a: Row, b: Row) => number;

/** Folders come first in either direction. */
export function comparator({ column, descending }: Order): Compare {
  const direction = descending ? -1 : 1;
  const byName: Compare = (a, b) => compare(a.key, b.key) || compare(a.name, b.name);
  const by: Record<Column, Compare> = {
    name: byName,
    size: (a, b) => (a.size ?? -1) - (b.size ?? -1),
    date: (a, b) => a.modifiedSec - b.modifiedSec,
  };
  return (a, b) =>
    Number(b.isFolder) - Number(a.isFolder) || direction * by[column](a, b) || byName(a, b);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Rows that the engine sorts at once. */
const RUN = 2048;

/** Short runs, merged two by two. */
export async function sortRows(
  rows: readonly Row[],
  order: Order,
  slices: Slices,
): Promise<readonly Row[]> {
  const compareRows = comparator(order);
  let runs: Row[][] = [];
  for (let start = 0; start < rows.length; start += RUN) {
    runs.push(rows.slice(start, start + RUN).sort(compareRows));
    await slices.next();
  }
  while (runs.length > 1) {
    const merged: Row[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(await merge(runs[at]!, runs[at + 1] ?? [], compareRows, slices));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(a: Row[], b: Row[], compareRows: Compare, slices: Slices): Promise<Row[]> {
  if (b.length === 0) return a;
  const out: Row[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const [left, right] = [a[i], b[j]];
    if (right === undefined || (left !== undefined && compareRows(left, right) <= 0)) {
      out.push(left!);
      i++;
    } else {
      out.push(right);
      j++;
    }
    const pause = slices.pause();
    if (pause) await pause;
  }
  return out;
}
