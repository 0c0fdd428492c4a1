/** One request and its response, with what every handler needs: the target, the body within bounds, the answer. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from './context.js';
import { ClientGoneError, ShareError } from './errors.js';
import { receiveBody, type TakeChunk } from './request-body.js';
import { writeHead, type Headers } from './response-head.js';
import { parseTargetPath, type TargetPath } from './target-path.js';

/** Of bodies that are read whole (XML). Ours. */
const MAX_SMALL_BODY_BYTES = 1024 * 1024;
/** The whole of such a body must be there by then, however steadily it trickles. Ours. */
const SMALL_BODY_TIMEOUT_MS = 60_000;

export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly context: Context;
  readonly method: string;
  /** Of the answer, whatever it will be. */
  readonly fields: Record<string, string> = {};
  #target: TargetPath;
  #redirected = false;
  bytesIn = 0;
  bytesOut = 0;

  constructor(req: IncomingMessage, res: ServerResponse, context: Context) {
    this.req = req;
    this.res = res;
    this.context = context;
    this.method = req.method ?? '';
    // The target of "OPTIONS *" is the server as a whole.
    this.#target = parseTargetPath(req.url === '*' ? '/' : (req.url ?? ''));
  }

  get target(): TargetPath {
    return this.#target;
  }

  /** The request is about another resource than its target: one that the body names. Its conditions have been checked. */
  redirect(segments: readonly string[]): void {
    this.#target = { segments, trailingSlash: false };
    this.#redirected = true;
  }

  /** The fields whose conditions are about `target`. */
  get conditions(): IncomingHttpHeaders {
    return this.#redirected ? {} : this.req.headers;
  }

  header(name: string): string | undefined {
    const value = this.req.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** Must the change be on disk before it is answered? */
  get durable(): boolean {
    return this.context.options.sync || this.header('davport-sync') === '1';
  }

  get hasBody(): boolean {
    const length = this.header('content-length');
    return this.header('transfer-encoding') !== undefined || (length ?? '0') !== '0';
  }

  writeHead(status: number, headers: Headers, length?: number): void {
    writeHead(this.res, status, [this.fields, headers], length);
  }

  /** An empty response, or one of text. */
  respond(status: number, headers: Headers = {}, body?: string | Buffer): void {
    const length = body === undefined ? 0 : Buffer.byteLength(body);
    const bodyless = status === 204 || status === 304;
    this.writeHead(status, headers, bodyless ? undefined : length);
    if (body === undefined || this.method === 'HEAD') {
      this.res.end();
      return;
    }
    this.bytesOut += length;
    this.res.end(body);
  }

  /** Hands `chunk` to the connection; waits until it wants more. Throws ClientGoneError when it is gone. */
  async write(chunk: Buffer): Promise<void> {
    const { res } = this;
    this.#checkOpen();
    this.bytesOut += chunk.length;
    if (res.write(chunk)) return;
    await this.context.connections.clientsTurn(this.req.socket, drained(res), () => chunk.length);
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (!this.res.destroyed) return;
    throw new ClientGoneError('the connection closed during the response');
  }

  /** The body chunk by chunk; see `receiveBody`. */
  receive(take: TakeChunk): Promise<void> {
    this.#requireIdentity();
    this.#continue();
    const turn = this.context.connections.clientsTurns(this.req.socket);
    return receiveBody(this.req, turn, (chunk) => {
      this.bytesIn += chunk.length;
      return take(chunk);
    });
  }

  /** The whole body, of bounded size and time. */
  async smallBody(): Promise<Buffer> {
    const parts: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => this.req.destroy(), SMALL_BODY_TIMEOUT_MS);
    try {
      await this.receive((chunk) => {
        size += chunk.length;
        if (size > MAX_SMALL_BODY_BYTES) throw new ShareError(413, 'the body is too large');
        parts.push(chunk);
        return undefined;
      });
    } finally {
      clearTimeout(timer);
    }
    return Buffer.concat(parts);
  }

  /** Coded bytes, stored as they are, would come back as another content (RFC 9110 section 8.4). */
  #requireIdentity(): void {
    if (/^\s*(identity)?\s*$/i.test(this.header('content-encoding') ?? '')) return;
    const headers = { 'Accept-Encoding': 'identity' };
    throw new ShareError(415, 'a body with a content coding', { headers });
  }

  /** RFC 9110 section 10.1.1: there is one expectation. */
  requireKnownExpectation(): void {
    const expect = this.header('expect');
    if (expect === undefined || this.req.httpVersion === '1.0') return;
    if (!/^100-continue$/i.test(expect)) throw new ShareError(417, 'an unknown expectation');
  }

  /** Only now that the body is wanted: an early refusal spares the client from sending it. */
  #continue(): void {
    if (/^100-continue$/i.test(this.header('expect') ?? '')) this.res.writeContinue();
  }
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.on('drain', done);
    res.on('close', done);
  });
}
