import { parseChangesReport, unsupportedReport, writeFeed } from '../change-feed/report.js';
import type { Exchange } from '../exchange.js';

/** RFC 3253 section 3.6. The one report there is, of the root, is the change feed: it lasts until the client goes. */
export async function handleReport(exchange: Exchange): Promise<void> {
  const { context, res, target } = exchange;
  const { changeFeeds } = context;
  const body = await exchange.smallBody();
  if (!changeFeeds.available || target.segments.length > 0) throw unsupportedReport();
  const heartbeatMs = parseChangesReport(body);
  const feed = changeFeeds.open();
  const end = (): void => changeFeeds.end(feed);
  res.on('close', end);
  try {
    exchange.writeHead(200, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Cache-Control': 'no-store',
      'Davport-Feed': feed.id,
    });
    await writeFeed(exchange, feed, heartbeatMs);
    res.end();
  } finally {
    res.off('close', end);
    end();
  }
}
