import { DAV_NS, formatProperty, NAMESPACE_DECLARATIONS } from './live-properties.js';
import type { PropertyName } from '../webdav/types.js';
import type { ErrorCondition } from './errors.js';
import type { Exchange } from './exchange.js';
import type { Headers } from './response-head.js';
import { respondCoded, ResponseBody } from './response-body.js';
import { statusLine } from './status-line.js';
import { TextBytes } from './text-bytes.js';

const XML_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n';
export const XML_TYPE = 'application/xml; charset=utf-8';

/**
 * Writes a 207 response while it is made: memory doesn't grow with the number of members. A document that ends within the first piece
 * goes out with its length.
 */
export class MultistatusWriter {
  readonly #exchange: Exchange;
  readonly #headers: Headers;
  readonly #pending = new TextBytes();
  #body: ResponseBody | undefined;

  constructor(exchange: Exchange, headers: Headers = {}) {
    this.#exchange = exchange;
    this.#headers = { 'Content-Type': XML_TYPE, ...headers };
    this.#pending.add(`${XML_HEAD}<D:multistatus${NAMESPACE_DECLARATIONS}>\n`);
  }

  /** One whole DAV:response element. A promise only when the client must catch up first. */
  add(response: string): Promise<void> | undefined {
    return this.#pending.add(response) ? this.#send() : undefined;
  }

  /** Sends what there is, unless the client has something already. */
  async begin(): Promise<void> {
    if (!this.#body) await this.#send();
  }

  /** Sends what there is, or white space (which means nothing there): the client sees that somebody is at work. */
  async flush(): Promise<void> {
    if (this.#pending.isEmpty) this.#pending.add('\n');
    await this.#send();
  }

  async end(): Promise<void> {
    this.#pending.add('</D:multistatus>\n');
    if (!this.#body) {
      await respondCoded(this.#exchange, 207, this.#headers, this.#pending.take());
      return;
    }
    await this.#send();
    await this.#body.end();
  }

  async #send(): Promise<void> {
    const piece = this.#pending.take();
    this.#body ??= new ResponseBody(this.#exchange, 207, this.#headers);
    await this.#body.write(piece);
  }
}

export function formatPropstat(status: number, properties: string, error = ''): string {
  return (
    `<D:propstat><D:prop>${properties}</D:prop>` +
    `<D:status>${statusLine(status)}</D:status>${error}</D:propstat>\n`
  );
}

/** `href` is percent-encoded: it has no character that XML minds, but an apostrophe. */
export function formatResponse(href: string, content: string): string {
  return `<D:response><D:href>${href}</D:href>${content}</D:response>\n`;
}

export function formatStatusResponse(
  href: string,
  status: number,
  condition?: ErrorCondition,
): string {
  const error = condition ? `<D:error>${formatCondition(condition)}</D:error>` : '';
  return formatResponse(href, `<D:status>${statusLine(status)}</D:status>${error}`);
}

/** A whole document; `root` is an element of DAV:. */
export function formatDocument(root: string, content: string): string {
  return `${XML_HEAD}<D:${root}${NAMESPACE_DECLARATIONS}>${content}</D:${root}>\n`;
}

/** Body that says which condition failed (RFC 4918 section 16). */
export function formatErrorBody(condition: ErrorCondition): string {
  return formatDocument('error', formatCondition(condition));
}

function formatCondition(condition: ErrorCondition): string {
  const hrefs = (condition.hrefs ?? []).map((href) => `<D:href>${href}</D:href>`);
  return formatProperty(condition, hrefs.join(''));
}

export function davCondition(name: string): PropertyName {
  return { ns: DAV_NS, name };
}
