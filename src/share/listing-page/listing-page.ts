/** A folder as a page for people; programs use PROPFIND. */
import { readMembersAhead } from '../ahead-reader.js';
import type { Exchange } from '../exchange.js';
import type { Headers } from '../response-head.js';
import { MemberView, type ViewedMember } from '../member-view.js';
import type { Place } from '../place.js';
import { respondCoded, ResponseBody } from '../response-body.js';
import { Slices } from '../../slices.js';
import { formatHref } from '../target-path.js';
import { toSeconds } from '../timespec.js';
import { escapeXml } from '../xml-text.js';
import { formatFoot, formatHead, formatRow, PAGE_HEADERS } from './html.js';
import { formatOrder, parseOrder, sortKey, sortRows, type Row } from './order.js';

/** Ours: rows of one page. They are held to be sorted. */
const MAX_ROWS = 100_000;
/** A page up to this size goes out with its length, a longer one in pieces of this size. */
const PIECE_CHARACTERS = 64 * 1024;

/** REQUIRES: `place` is a collection. */
export async function answerListing(exchange: Exchange, place: Place): Promise<void> {
  const { segments } = exchange.target;
  const headers: Headers = {
    ...PAGE_HEADERS,
    // The URL may lack the slash, and the order is told by the query.
    'Content-Location': formatHref(segments, true),
    Vary: 'Accept-Encoding',
  };
  if (exchange.method === 'HEAD') {
    exchange.writeHead(200, headers);
    exchange.res.end();
    return;
  }
  const slices = new Slices();
  const order = parseOrder(exchange.req.url ?? '');
  const { rows, complete } = await readRows(exchange, place, slices);
  const page = new Page(exchange, headers);
  await page.write(formatHead(segments, order));
  const query = escapeXml(formatOrder(order));
  for (const row of await sortRows(rows, order, slices)) {
    const wait = page.write(formatRow(row, query)) ?? slices.pause();
    if (wait) await wait;
  }
  await page.end(formatFoot(rows, complete));
}

/** The answer while it is made. */
class Page {
  readonly #exchange: Exchange;
  readonly #headers: Headers;
  #pending = '';
  #body: ResponseBody | undefined;

  constructor(exchange: Exchange, headers: Headers) {
    this.#exchange = exchange;
    this.#headers = headers;
  }

  /** A promise only when the client must catch up first. */
  write(text: string): Promise<void> | undefined {
    this.#pending += text;
    return this.#pending.length < PIECE_CHARACTERS ? undefined : this.#flush();
  }

  async end(text: string): Promise<void> {
    this.#pending += text;
    if (this.#body) {
      await this.#flush();
      await this.#body.end();
    } else {
      await respondCoded(this.#exchange, 200, this.#headers, Buffer.from(this.#pending));
    }
  }

  async #flush(): Promise<void> {
    const piece = Buffer.from(this.#pending);
    this.#pending = '';
    this.#body ??= new ResponseBody(this.#exchange, 200, this.#headers);
    await this.#body.write(piece);
  }
}

async function readRows(
  { context, target }: Exchange,
  place: Place,
  slices: Slices,
): Promise<{ rows: readonly Row[]; complete: boolean }> {
  const folder = { segments: target.segments, base: formatHref(target.segments, true) };
  const view = new MemberView(context, false);
  const rows: Row[] = [];
  const members = readMembersAhead(place.path, context.options.attributes, false);
  try {
    for (;;) {
      for (let member = members.next(); member; member = members.next()) {
        const viewed = member.state && view.of(folder, member, member.state);
        viewed?.target?.close();
        if (viewed && rows.length >= MAX_ROWS) return { rows, complete: false };
        if (viewed) rows.push(toRow(member.name, viewed));
        const pause = slices.pause();
        if (pause) await pause;
      }
      context.closing.throwIfAborted();
      const more = members.more();
      if (!more) return { rows, complete: true };
      await more;
    }
  } finally {
    members.close();
  }
}

function toRow(name: string, { href, subject: { kind, stat } }: ViewedMember): Row {
  return {
    href,
    name,
    key: sortKey(name),
    isFolder: kind === 'collection',
    size: kind === 'file' ? Number(stat.size) : undefined,
    modifiedSec: toSeconds(stat.mtimeNs),
  };
}
