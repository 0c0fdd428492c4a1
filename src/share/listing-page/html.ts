/** The page's markup: one table, readable without styles and without scripts, nothing from anywhere else. */
import { createHash } from 'node:crypto';
import { formatIsoDate } from '../../webdav/http-date.js';
import type { Headers } from '../response-head.js';
import { formatHref } from '../target-path.js';
import { escapeXml } from '../xml-text.js';
import { COLUMNS, formatOrder, type Column, type Order, type Row } from './order.js';

const STYLE = `
:root { color-scheme: light dark; --text: #1c1e21; --soft: #63676d; --line: #e2e4e8; --link: #0b57d0; --back: #fff; --hover: #f3f5f8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e6eb; --soft: #9ba1aa; --line: #33373d; --link: #8ab4f8; --back: #17191c; --hover: #22262b; }
}
body { margin: 0 auto; max-width: 64rem; padding: 1rem; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.25rem; overflow-wrap: anywhere; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: baseline; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody tr:hover { background: var(--hover); }
.name { width: 100%; overflow-wrap: anywhere; }
.folder a { font-weight: 600; }
.size, .date { color: var(--soft); white-space: nowrap; font-variant-numeric: tabular-nums; }
.size { text-align: right; }
footer { margin-top: 1rem; color: var(--soft); font-size: .875rem; }
@media (max-width: 36rem) {
  body { padding: .5rem; }
  table, thead, tbody { display: block; }
  thead tr { display: flex; }
  th { border: 0; }
  th.name { width: auto; }
  tbody tr { display: grid; grid-template-columns: auto 1fr; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  tbody td { border: 0; padding: 0 .5rem; }
  .name { grid-column: 1 / -1; width: auto; }
  .date { text-align: right; }
}
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Nothing runs, nothing is fetched, nothing can be posted, and no other page may frame it. */
export const PAGE_HEADERS: Headers = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy':
    `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src data:; ` +
    `base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

const TITLES: Readonly<Record<Column, string>> = {
  name: 'Name',
  size: 'Size',
  date: 'Modified (UTC)',
};

export function formatHead(segments: readonly string[], order: Order): string {
  const title = escapeXml(`/${segments.join('/')}`);
  const parent = segments.slice(0, -1);
  const up =
    segments.length === 0
      ? ''
      : `<tr class="folder"><td class="name"><a href="${formatHref(parent, true)}${escapeXml(formatOrder(order))}" ` +
        'rel="up">..</a></td><td class="size"></td><td class="date"></td></tr>\n';
  return (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
    // Without it browsers ask for /favicon.ico.
    `<link rel="icon" href="data:,">\n<title>${title}</title>\n<style>${STYLE}</style>\n</head>\n` +
    `<body>\n<h1>${formatTrail(segments, order)}</h1>\n<table>\n<thead><tr>` +
    `${COLUMNS.map((column) => formatColumn(column, order)).join('')}</tr></thead>\n<tbody>\n${up}`
  );
}

/** The way down to the folder, each step a link. */
function formatTrail(segments: readonly string[], order: Order): string {
  const query = escapeXml(formatOrder(order));
  const steps = segments.map((name, at) => {
    const href = formatHref(segments.slice(0, at + 1), true);
    return `<a href="${href}${query}"><bdi>${escapeXml(name)}</bdi></a>/`;
  });
  return `<a href="/${query}">/</a>${steps.join('')}`;
}

/** A link to the order by this column; of the column that rules, to the other direction. */
function formatColumn(column: Column, order: Order): string {
  const rules = column === order.column;
  // People want the largest and the latest first.
  const descending = rules ? !order.descending : column !== 'name';
  const query = formatOrder({ column, descending }) || '?';
  const sort = order.descending ? 'descending' : 'ascending';
  const state = rules ? ` aria-sort="${sort}"` : '';
  const arrow = rules ? (order.descending ? ' ↓' : ' ↑') : '';
  return `<th scope="col" class="${column}"${state}><a href="${escapeXml(query)}">${TITLES[column]}${arrow}</a></th>`;
}

/** `query`: of the order, for folders; escaped. */
export function formatRow({ href, name, isFolder, size, modifiedSec }: Row, query: string): string {
  const time = formatIsoDate({ sec: modifiedSec, nsec: 0 });
  const sizeCell =
    size === undefined
      ? '<td class="size"></td>'
      : `<td class="size" title="${size} bytes">${formatSize(size)}</td>`;
  return (
    `<tr${isFolder ? ' class="folder"' : ''}><td class="name"><a href="${href}${isFolder ? query : ''}">` +
    `<bdi>${escapeXml(name)}</bdi>${isFolder ? '/' : ''}</a></td>${sizeCell}` +
    `<td class="date"><time datetime="${time}">${time.slice(0, 16).replace('T', ' ')}</time></td></tr>\n`
  );
}

export function formatFoot(rows: readonly Row[], complete: boolean): string {
  const folders = rows.filter(({ isFolder }) => isFolder).length;
  const bytes = rows.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const cut = complete ? '' : ` There are more, which are not shown.`;
  return (
    `</tbody>\n</table>\n<footer>${count(folders, 'folder')}, ` +
    `${count(rows.length - folders, 'file')}, ${formatSize(bytes)}.${cut}</footer>\n</body>\n</html>\n`
  );
}

function count(value: number, noun: string): string {
  return `${value.toLocaleString('en')} ${noun}${value === 1 ? '' : 's'}`;
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Three digits are enough to compare by. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${UNITS[unit]}`;
}
