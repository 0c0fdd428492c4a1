import type { Exchange } from './exchange.js';
import { FolderReader } from './folder-reader.js';
import { formatHttpDate } from '../webdav/http-date.js';
import { toTimespec } from './timespec.js';
import type { Place } from './place.js';
import { Slices } from './slices.js';
import { encodeSegment } from './target-path.js';
import { escapeXml } from './xml-text.js';

/** Ours: what one page shows of a folder. */
const MAX_ENTRIES = 10_000;

/** A page for browsers; programs use PROPFIND. */
export async function formatHtmlListing(exchange: Exchange, place: Place): Promise<string> {
  const { segments } = exchange.target;
  const title = escapeXml(`/${segments.join('/')}`);
  const rows = await entryRows(exchange, place);
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  const up = segments.length > 0 ? '<tr><td><a href="../">../</a></td></tr>\n' : '';
  return (
    `<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>${title}</title></head>\n` +
    `<body><h1>${title}</h1>\n<table>\n${up}${rows.map(({ html }) => html).join('')}</table>\n` +
    `</body></html>\n`
  );
}

async function entryRows(
  { context }: Exchange,
  place: Place,
): Promise<{ name: string; html: string }[]> {
  const rows: { name: string; html: string }[] = [];
  const folder = new FolderReader(place.path);
  const slices = new Slices();
  try {
    for (let entry = folder.next(); entry; entry = folder.next()) {
      const stat = context.tempNames.isActive(entry.name) ? undefined : folder.stat(entry);
      const hidden = stat?.isSymbolicLink() && context.root.policy === 'hide';
      if (stat && !hidden) {
        const slash = stat.isDirectory() ? '/' : '';
        const size = stat.isFile() ? stat.size.toString() : '';
        const name = entry.name + slash;
        const html =
          `<tr><td><a href="./${encodeSegment(entry.name)}${slash}">${escapeXml(name)}</a></td>` +
          `<td align="right">${size}</td><td>${formatHttpDate(toTimespec(stat.mtimeNs))}</td></tr>\n`;
        rows.push({ name, html });
      }
      if (rows.length >= MAX_ENTRIES) break;
      const pause = slices.pause();
      if (pause) await pause;
    }
  } finally {
    folder.close();
  }
  return rows;
}
