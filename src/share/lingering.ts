/**
 * Connections that have been told to go. Closed at once, while the client is still sending, a connection is reset, and the answer is lost
 * with it (RFC 9112 section 9.6): so they are read for a moment, until the client closes its side.
 */
import type { Duplex } from 'node:stream';

const LINGER_MS = 1000;
/** At a time; further ones are closed at once. Ours. */
const MAX_LINGERING = 128;

export class Lingering {
  readonly #streams = new Set<Duplex>();

  /** Sends the last words, and lets the connection go. What else is said of it meanwhile, a parser's further complaints, changes nothing. */
  end(stream: Duplex, words: string): void {
    if (this.#streams.has(stream)) return;
    if (!stream.writable || stream.destroyed) {
      stream.destroy();
      return;
    }
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    stream.end(words, () => this.#linger(stream));
  }

  destroyAll(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  #linger(stream: Duplex): void {
    const isOver = stream.destroyed || stream.readableEnded;
    if (isOver || this.#streams.size > MAX_LINGERING) {
      stream.destroy();
      return;
    }
    const timer = setTimeout(() => stream.destroy(), LINGER_MS);
    stream.once('close', () => clearTimeout(timer));
    stream.once('end', () => stream.destroy());
    stream.resume();
  }
}
