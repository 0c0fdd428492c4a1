import { parseChangesReport, unsupportedReport, writeFeed } from '../change-feed/report.js';
import { FeedBody } from '../change-feed/feed-body.js';
import { answerContents, parseContentsReport } from '../contents-report.js';
import type { Exchange } from '../exchange.js';
import { parseXml, type XmlElement } from '../xml-reader.js';

/** RFC 3253 section 3.6: contents of any collection, and the change feed of the root. */
export async function handleReport(exchange: Exchange): Promise<void> {
  const questions = exchange.header('davport-told') === '1' ? new FeedBody(exchange) : undefined;
  const root = parseXml(await (questions?.report() ?? exchange.smallBody()));
  const names = parseContentsReport(root);
  if (names) await answerContents(exchange, names);
  else await answerFeed(exchange, root, questions);
}

/** Lasts until the client goes. */
async function answerFeed(
  exchange: Exchange,
  report: XmlElement,
  questions: FeedBody | undefined,
): Promise<void> {
  const { context, res, target } = exchange;
  const { changeFeeds } = context;
  if (!changeFeeds.available || target.segments.length > 0) throw unsupportedReport();
  const heartbeatMs = parseChangesReport(report);
  const feed = changeFeeds.open();
  questions?.listen((question) => feed.ask(question));
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
