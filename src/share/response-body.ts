import { chooseCoding, Encoder, MIN_CODED_BYTES, type Coding } from './content-coding.js';
import type { Exchange } from './exchange.js';
import type { Headers } from './response-head.js';

/** What the response says of its coding. */
export function codingHeaders(coding: Coding | undefined): Headers {
  return coding ? { 'Content-Encoding': coding.name } : {};
}

/** HTTP/1.0 has no chunks: a coded body, whose length nobody knows before, would end by the connection, whole or not. */
export function codingFor(exchange: Exchange): Coding | undefined {
  if (exchange.req.httpVersion === '1.0') return undefined;
  return chooseCoding(exchange.header('accept-encoding'));
}

/** A body that is sent while it is made, coded if the client asks for that. */
export class ResponseBody {
  readonly #exchange: Exchange;
  readonly #encoder: Encoder | undefined;

  /** Sends the head. */
  constructor(exchange: Exchange, status: number, headers: Headers, coding = codingFor(exchange)) {
    this.#exchange = exchange;
    exchange.writeHead(status, { ...headers, ...codingHeaders(coding) });
    if (!coding) return;
    const encoder = new Encoder(coding);
    this.#encoder = encoder;
    exchange.res.once('close', () => encoder.close());
  }

  /** Resolves when the client wants more. */
  async write(piece: Buffer): Promise<void> {
    const bytes = this.#encoder ? await this.#encoder.encode(piece) : piece;
    if (bytes.length > 0) await this.#exchange.write(bytes);
  }

  async end(): Promise<void> {
    const rest = await this.#encoder?.finish();
    if (rest && rest.length > 0) await this.#exchange.write(rest);
    this.#exchange.res.end();
  }
}

/** A body that is there as a whole, coded if the client asks for that and it is worth it. */
export async function respondCoded(
  exchange: Exchange,
  status: number,
  headers: Headers,
  body: Buffer,
): Promise<void> {
  const coding = body.length < MIN_CODED_BYTES ? undefined : codingFor(exchange);
  if (!coding) {
    exchange.respond(status, headers, body);
    return;
  }
  const encoder = new Encoder(coding);
  try {
    const coded = Buffer.concat([await encoder.encode(body), await encoder.finish()]);
    exchange.respond(status, { ...headers, ...codingHeaders(coding) }, coded);
  } finally {
    encoder.close();
  }
}
