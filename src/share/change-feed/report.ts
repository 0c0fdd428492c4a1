/** The body of a change feed: one line for each thing that is told (doc/EXTENSIONS.md). */
import { DAVPORT_NS } from '../../webdav/types.js';
import type { Context } from '../context.js';
import { ShareError } from '../errors.js';
import { etagOf } from '../etag.js';
import type { Exchange } from '../exchange.js';
import { davCondition } from '../multistatus-writer.js';
import { formatPosixHeader } from '../posix-text.js';
import { Slices } from '../../slices.js';
import { formatHref } from '../target-path.js';
import { elementsOf, isElement, textOf, type XmlElement } from '../xml-reader.js';
import type { Feed, News } from './feed.js';

const DEFAULT_HEARTBEAT_SEC = 5;
const MIN_HEARTBEAT_SEC = 0.1;
const MAX_HEARTBEAT_SEC = 60;
/** Lines sent at once. */
const LINES_PER_WRITE = 256;

/** Time between two signs of life, ms. Throws ShareError for everything that isn't this report. */
export function parseChangesReport(root: XmlElement): number {
  if (!isElement(root, DAVPORT_NS, 'changes')) throw unsupportedReport();
  const heartbeat = elementsOf(root).find((child) => isElement(child, DAVPORT_NS, 'heartbeat'));
  if (!heartbeat) return DEFAULT_HEARTBEAT_SEC * 1000;
  const text = textOf(heartbeat).trim();
  if (!/^\d{1,5}(\.\d{1,9})?$/.test(text)) throw new ShareError(400, 'malformed heartbeat');
  return Math.min(MAX_HEARTBEAT_SEC, Math.max(MIN_HEARTBEAT_SEC, Number(text))) * 1000;
}

/** RFC 3253 section 3.6. */
export function unsupportedReport(): ShareError {
  return new ShareError(403, 'no such report', { condition: davCondition('supported-report') });
}

/** Writes until the feed ends. Throws ClientGoneError when the client is gone. */
export async function writeFeed(
  exchange: Exchange,
  feed: Feed,
  heartbeatMs: number,
): Promise<void> {
  let writtenAt = performance.now();
  await exchange.write(ALIVE);
  while (!feed.ended) {
    await feed.wait(writtenAt + heartbeatMs);
    const asked = feed.takeAsked();
    if (asked !== undefined) exchange.context.changeFeeds.catchUp();
    const news = feed.take(asked !== undefined);
    if (news) await writeNews(exchange, news);
    if (asked !== undefined) await exchange.write(toBytes([`told ${asked}`]));
    else if (news === undefined) {
      if (performance.now() < writtenAt + heartbeatMs) continue;
      await exchange.write(ALIVE);
    }
    writtenAt = performance.now();
  }
}

const ALIVE = Buffer.from('alive\n');

async function writeNews(exchange: Exchange, news: News): Promise<void> {
  const slices = new Slices();
  let lines: string[] = news.reset ? ['reset'] : [];
  for (const path of news.forgotten) lines.push(`forget ${formatHref(segmentsOf(path), true)}`);
  for (const path of news.changed) {
    lines.push(changeLine(exchange.context, segmentsOf(path)));
    const pause = slices.pause();
    if (pause) await pause;
    if (lines.length < LINES_PER_WRITE) continue;
    await exchange.write(toBytes(lines));
    lines = [];
  }
  if (lines.length > 0) await exchange.write(toBytes(lines));
}

/** What is there now: a client that has just that already knows it. */
function changeLine({ root }: Context, segments: readonly string[]): string {
  try {
    const place = root.locate(segments, false);
    try {
      const stat = place.existing();
      const href = formatHref(segments, stat.isDirectory());
      return `changed ${href} ${etagOf(stat)} ${formatPosixHeader(stat, place.path)}`;
    } finally {
      place.close();
    }
  } catch {
    // Also where it can't be reached any more: the client finds out why when it asks.
    return `gone ${formatHref(segments, false)}`;
  }
}

function segmentsOf(path: string): readonly string[] {
  return path === '' ? [] : path.split('/');
}

function toBytes(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\n')}\n`);
}
