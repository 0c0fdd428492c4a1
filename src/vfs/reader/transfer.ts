import { HttpError } from '../../http/types.js';
import type { BodySink } from '../../http/types.js';
import type { GetResult } from '../../webdav/types.js';
import { BlockCollector } from '../content-cache/block-collector.js';
import type { CachedContent } from '../content-cache/cached-content.js';
import type { ContentSource } from './content-source.js';

/** Requests in a row that may bring not one byte before their error is the answer. */
const MAX_IDLE_ATTEMPTS = 3;

/** A GET that runs already; its head was found to be of the version. */
export interface RunningGet {
  readonly done: Promise<unknown>;
  readonly controller: AbortController;
}

/**
 * Brings the bytes [start, end) of one version, in order, each once, over as many requests as it takes: a lost one is continued
 * where it stood.
 *
 *     running ──pause()──► paused ──resume()──► running ──► done | failed | stopped
 */
export class Transfer {
  readonly #source: ContentSource;
  readonly #end: number;
  readonly #receive: (chunk: Buffer) => void;
  readonly #cached: Promise<CachedContent | undefined> | undefined;
  readonly #collector: BlockCollector | undefined;
  #position: number;
  #controller = new AbortController();
  #stopped = false;
  #paused = false;
  #wake: (() => void) | undefined;

  constructor(source: ContentSource, start: number, end: number, receive: (chunk: Buffer) => void) {
    this.#source = source;
    this.#position = start;
    this.#end = end;
    this.#receive = receive;
    this.#cached = source.cached();
    this.#collector = this.#cached && new BlockCollector(this.#cached, source.version.size);
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Resolves when everything has arrived. A stopped transfer rejects. */
  async run(running?: RunningGet): Promise<void> {
    let adopted = running;
    if (adopted) this.#controller = adopted.controller;
    for (let idle = 0; this.#position < this.#end || adopted;) {
      await this.#whilePaused();
      if (this.#cached && !adopted && (await this.#takeCached(this.#cached))) continue;
      const before = this.#position;
      const path = this.#source.path();
      try {
        await (adopted?.done ?? this.#get(path));
        if (this.#position < this.#end) throw new HttpError('HTTP_PROTOCOL', 'the answer is short');
      } catch (error) {
        idle = this.#position > before || adopted ? 0 : idle + 1;
        if (!this.#controller.signal.aborted) {
          await this.#source.judge(error, path);
          if (idle >= MAX_IDLE_ATTEMPTS) throw error;
        }
      }
      adopted = undefined;
    }
  }

  /** Bytes of a running GET that was handed to `run`. */
  take(chunk: Buffer): void {
    const room = this.#end - this.#position;
    const piece = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#collector?.add(this.#position, piece);
    this.#deliver(piece);
  }

  #deliver(piece: Buffer): void {
    this.#position += piece.length;
    this.#receive(piece);
  }

  /** The bytes that come next, from the disk. */
  async #takeCached(cached: Promise<CachedContent | undefined>): Promise<boolean> {
    const bytes = await (await cached)?.read(this.#position, this.#end);
    if (this.#stopped) throw stoppedError();
    if (bytes) this.#deliver(bytes);
    return bytes !== undefined;
  }

  stop(): void {
    this.#stopped = true;
    // Nothing is on its way any more: to say so to nobody costs an error with its stack.
    if (this.#position >= this.#end) return;
    this.#controller.abort(stoppedError());
    this.#wake?.();
  }

  /** Gives up the running request: the bytes come too fast and a channel can't be held back. */
  pause(): void {
    this.#paused = true;
    this.#controller.abort(stoppedError());
  }

  resume(): void {
    this.#paused = false;
    this.#wake?.();
  }

  async #get(path: string): Promise<void> {
    const controller = new AbortController();
    this.#controller = controller;
    let refusal: unknown;
    const sink: BodySink = {
      onData: (chunk) => {
        // What was on its way when the request was given up must not arrive twice.
        if (!controller.signal.aborted && refusal === undefined) this.take(chunk);
      },
    };
    const onHead = (head: GetResult): void => {
      try {
        this.#source.checkHead(head);
      } catch (error) {
        refusal = error;
        throw error;
      }
    };
    const whole = this.#position === 0 && this.#end === this.#source.version.size;
    const range = whole ? {} : { start: this.#position, end: this.#end };
    try {
      await this.#source.client.get(path, sink, { signal: controller.signal, onHead, ...range });
    } catch (error) {
      throw refusal ?? error;
    }
    if (refusal !== undefined) throw refusal as Error;
  }

  async #whilePaused(): Promise<void> {
    while (this.#paused && !this.#stopped) {
      await new Promise<void>((wake) => (this.#wake = wake));
    }
    if (this.#stopped) throw stoppedError();
  }
}

function stoppedError(): Error {
  return new Error('not needed any more');
}
