import { constants, createGunzip, type Gunzip } from 'node:zlib';
import { HttpError } from './types.js';

/** The one coding that is asked for. */
export const ACCEPTED_CODING = 'gzip';
const GZIP_NAMES = new Set([ACCEPTED_CODING, 'x-gzip']);

const PIECE_BYTES = 64 * 1024;
/** Listings become up to 40 times as large; DEFLATE could make 1032 times as much of what is sent to fill the memory. */
const MAX_RATIO = 200;
/** What even the smallest body may become. */
const FREE_BYTES = 1024 * 1024;
/** Decoding keeps up with any link on which it is asked for. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

/** An answer in a coding that nobody asked for: it would come again. */
export class UnknownCodingError extends HttpError {}

export interface DecoderEvents {
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** The last event. */
  onError(error: HttpError): void;
}

/** Undoes the coding of one body while it arrives. What it was given comes out later; nothing does after `destroy`. */
export class Decoder {
  readonly #stream: Gunzip;
  readonly #events: DecoderEvents;
  #bytesOut = 0;
  #begun = false;
  #ended = false;

  constructor(events: DecoderEvents) {
    this.#events = events;
    this.#stream = createGunzip({ flush: constants.Z_SYNC_FLUSH, chunkSize: PIECE_BYTES });
    this.#stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#stream.on('end', () => this.#onEnd());
    this.#stream.on('error', (cause) => {
      this.#fail('HTTP_PROTOCOL', `the response can't be decoded: ${cause.message}`, cause);
    });
  }

  write(chunk: Buffer): void {
    if (this.#stream.destroyed) return;
    this.#begun = true;
    this.#stream.write(chunk);
    if (this.#stream.writableLength <= MAX_WAITING_BYTES) return;
    const message = `more than ${MAX_WAITING_BYTES} bytes of the response wait for being decoded`;
    this.#fail('HTTP_BODY_TOO_LARGE', message);
  }

  end(): void {
    if (this.#stream.destroyed) return;
    this.#ended = true;
    if (this.#begun) this.#stream.end();
    else this.#events.onEnd();
  }

  /** Idempotent. */
  destroy(): void {
    this.#stream.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#stream.destroyed) return;
    this.#bytesOut += chunk.length;
    if (this.#bytesOut > FREE_BYTES + MAX_RATIO * this.#stream.bytesWritten) {
      const message = `the response becomes more than ${MAX_RATIO} times as large when it is decoded`;
      this.#fail('HTTP_BODY_TOO_LARGE', message);
      return;
    }
    this.#events.onData(chunk);
  }

  #onEnd(): void {
    if (this.#ended) this.#events.onEnd();
    else this.#fail('HTTP_PROTOCOL', 'the response goes on after the end of what was coded');
  }

  #fail(code: 'HTTP_PROTOCOL' | 'HTTP_BODY_TOO_LARGE', message: string, cause?: Error): void {
    this.#stream.destroy();
    this.#events.onError(new HttpError(code, message, { cause }));
  }
}

/** Is a body with this Content-Encoding to be decoded? Throws UnknownCodingError for what can't be. */
export function isCoded(contentEncoding: string | undefined): boolean {
  const name = contentEncoding?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return false;
  if (GZIP_NAMES.has(name)) return true;
  const message = `the response has the content coding ${name}, which was not asked for`;
  throw new UnknownCodingError('HTTP_PROTOCOL', message);
}
