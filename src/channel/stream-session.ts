import type { Readable, Writable } from 'node:stream';
import type { ChannelSession, ChannelSink } from './channel.js';
import { ChannelError } from './errors.js';

export interface StreamSessionOptions {
  readonly address: string;
  readonly readable: Readable;
  /** May be the same stream. */
  readonly writable: Writable;
  readonly sink: ChannelSink;
  /** Called once, before the sink's `onClose`. */
  readonly onEnd: () => void;
}

/**
 * A channel session on Node streams: a socket, or a pair of pipes. The streams must not flow yet; they do once `open` has
 * resolved, so that nothing is lost and the sink isn't called before. The end of the input is the end of the session: a peer that
 * no longer sends can't answer.
 */
export class StreamSession implements ChannelSession {
  readonly keepsNothing = true;
  readonly #options: StreamSessionOptions;
  #state: 'starting' | 'open' | 'over' = 'starting';
  #needDrain = false;
  #paused = false;

  constructor(options: StreamSessionOptions) {
    this.#options = options;
    const { readable, writable } = options;
    readable.on('end', () => this.#end());
    readable.on('close', () => this.#end());
    readable.on('error', (error) => this.#end(error));
    // A pipe to a process that has ended closes at once, when its last words may still have to be read.
    if (writable !== (readable as unknown)) writable.on('error', (error) => this.#end(error));
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    if (this.#state !== 'starting') return;
    this.#state = 'open';
    const { readable } = this.#options;
    readable.on('data', (chunk: Buffer) => this.deliver(chunk));
    // A listener for 'data' doesn't start a stream that was paused on purpose.
    if (!this.#paused) readable.resume();
  }

  /** For a source that doesn't emit 'data' (a socket with a read buffer of its own). */
  deliver(chunk: Buffer): void {
    if (this.#state === 'open') this.#options.sink.onData(chunk);
  }

  write(buffers: readonly Uint8Array[]): boolean {
    const { writable } = this.#options;
    if (this.#state === 'over' || !writable.writable) return true;
    writable.cork();
    const last = buffers.length - 1;
    for (const [at, bytes] of buffers.entries()) {
      if (at < last) writable.write(bytes);
      else writable.write(bytes, this.#onWritten);
    }
    writable.uncork();
    // What the kernel took at once no longer counts here.
    this.#needDrain = writable.writableLength > 0;
    return !this.#needDrain;
  }

  /** Not a stream's own 'drain': that comes only after more than its mark. */
  readonly #onWritten = (): void => {
    const { writable } = this.#options;
    if (!this.#needDrain || this.#state === 'over' || writable.writableLength > 0) return;
    this.#needDrain = false;
    this.#options.sink.onDrain();
  };

  pause(): void {
    this.#paused = true;
    this.#options.readable.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#state === 'open') this.#options.readable.resume();
  }

  close(): void {
    this.#end();
  }

  #end(cause?: Error): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    const { address, readable, writable, sink, onEnd } = this.#options;
    readable.destroy();
    writable.destroy();
    onEnd();
    const error =
      cause &&
      new ChannelError('CHANNEL_CLOSED', `${address}: the connection broke: ${cause.message}`, {
        cause,
      });
    // Never from inside a call of the sink's own, and never before `open` has resolved.
    setImmediate(() => sink.onClose(error));
  }
}
