/** What a run says. */
import { figureOf, lessIsBetter, type Row } from './rows.js';

export interface Cell {
  readonly figure: number;
  readonly requests: number | undefined;
  readonly memory: number | undefined;
}

/** Of what was measured, or why nothing was. */
export type Outcome = Cell | string;

export interface Line {
  readonly side: string;
  /** One of each round. */
  readonly outcomes: readonly Outcome[];
}

/** The middle one by figure; a failure where all failed. */
export function median(outcomes: readonly Outcome[]): Outcome {
  const good = outcomes.filter((each): each is Cell => typeof each !== 'string');
  good.sort((a, b) => a.figure - b.figure);
  return good[(good.length - 1) >> 1] ?? outcomes[0] ?? 'not run';
}

/** Over 1: the first is better by this much. */
export function ratio(row: Row, first: number, other: number): number {
  return lessIsBetter(row) ? other / first : first / other;
}

export function formatRow(row: Row, lines: readonly Line[]): string {
  const own = median(lines[0]?.outcomes ?? []);
  const text = lines.map(({ side, outcomes }, at) => {
    const middle = median(outcomes);
    const name = `  ${side.padEnd(17)}`;
    if (typeof middle === 'string') return `${name} failed: ${middle.slice(0, 200)}`;
    const compared =
      at === 0 || typeof own === 'string'
        ? ''
        : `×${ratio(row, own.figure, middle.figure).toFixed(2)}`;
    const figures = outcomes.map((each) =>
      typeof each === 'string' ? 'failed' : show(each.figure),
    );
    return [
      name,
      show(middle.figure).padStart(8),
      row.unit.padEnd(8),
      compared.padEnd(8),
      count(middle.requests, 'requests').padEnd(16),
      count(middle.memory, 'MiB').padEnd(9),
      figures.length > 1 ? `(${figures.join(' ')})` : '',
    ]
      .join(' ')
      .trimEnd();
  });
  return [`${row.name}: ${row.title}`, ...text].join('\n');
}

const count = (value: number | undefined, unit: string): string =>
  value === undefined ? '' : `${Math.round(value)} ${unit}`;

/** Three digits that count. */
function show(figure: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(figure) || 1)));
  return figure.toFixed(Math.min(digits, 5));
}

export const LEGEND =
  '×N: the first side is N times as good as this one. In brackets: each round. MiB: resident memory after the work.';

export { figureOf };
