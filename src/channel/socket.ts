import type { Socket, TcpNetConnectOpts, IpcNetConnectOpts } from 'node:net';
import { connect } from 'node:net';
import type { Logger } from '../log.js';
import { ReceiveMemory } from '../receive-memory.js';
import type { TcpAddress, UnixAddress } from './address.js';
import { BackOff } from './back-off.js';
import type { Channel, ChannelSession, ChannelSink } from './channel.js';
import { ChannelError } from './errors.js';
import { StreamSession } from './stream-session.js';

/** What may be otherwise in a moment: the other side hasn't been started, or is on its way up again. */
const ABSENT = new Set([
  'ENOENT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
]);

/** A stream's own way to read allocates as much each time, and moves what arrived to a smaller piece. */
const MIN_READ_BYTES = 64 * 1024;

const KEEP_ALIVE_MS = 30_000;

/** A stream socket to connect to (`unix:`, `tcp:`). While nobody listens there, it waits. */
export class SocketChannel implements Channel {
  readonly address: string;
  readonly #target: UnixAddress | TcpAddress;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  #session: StreamSession | undefined;
  /** A host name that was found once is only gone for a while. */
  #hasConnected = false;

  constructor(target: UnixAddress | TcpAddress, log: Logger) {
    this.address = target.text;
    this.#target = target;
    this.#log = log;
  }

  async open(sink: ChannelSink, signal: AbortSignal): Promise<ChannelSession> {
    if (this.#session !== undefined) throw new Error(`${this.address}: open() during a session`);
    const either = AbortSignal.any([signal, this.#closing.signal]);
    const backOff = new BackOff();
    let waiting = false;
    for (;;) {
      either.throwIfAborted();
      const failure = await this.#connect(sink, either);
      if (failure instanceof StreamSession) return (this.#session = failure);
      if (!this.#isAbsent(failure)) throw this.#explain(failure);
      if (!waiting) this.#log.info('waiting for the other side', { channel: this.address });
      waiting = true;
      await backOff.wait(either);
    }
  }

  #connect(sink: ChannelSink, signal: AbortSignal): Promise<StreamSession | NodeJS.ErrnoException> {
    let session: StreamSession | undefined;
    const socket = connect(this.#connectOptions((chunk) => session?.deliver(chunk)));
    // Or the socket would be read before there is a session.
    socket.pause();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        socket.destroy();
        reject(signal.reason as Error);
      };
      const settle = (): void => {
        signal.removeEventListener('abort', onAbort);
        socket.off('error', onError);
      };
      const onError = (error: Error): void => {
        settle();
        resolve(error);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      socket.once('error', onError);
      socket.once('connect', () => {
        settle();
        this.#hasConnected = true;
        session = this.#newSession(socket, sink);
        resolve(session);
      });
    });
  }

  #connectOptions(deliver: (chunk: Buffer) => void): TcpNetConnectOpts | IpcNetConnectOpts {
    const target = this.#target;
    const memory = new ReceiveMemory(MIN_READ_BYTES);
    const onread = {
      buffer: () => memory.room(),
      callback: (bytes: number) => {
        deliver(memory.take(bytes));
        return true;
      },
    };
    return 'path' in target
      ? { path: target.path, onread }
      : { host: target.host, port: target.port, noDelay: true, onread };
  }

  #newSession(socket: Socket, sink: ChannelSink): StreamSession {
    if (this.#target.kind === 'tcp') socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return new StreamSession({
      address: this.address,
      readable: socket,
      writable: socket,
      sink,
      onEnd: () => (this.#session = undefined),
    });
  }

  #isAbsent({ code = '' }: NodeJS.ErrnoException): boolean {
    return ABSENT.has(code) || (code === 'ENOTFOUND' && this.#hasConnected);
  }

  #explain(cause: NodeJS.ErrnoException): ChannelError {
    switch (cause.code) {
      case 'EACCES':
      case 'EPERM':
        return new ChannelError(
          'CHANNEL_PERMISSION',
          `${this.address}: this user may not connect to it; check its owner and mode`,
          { cause },
        );
      case 'ENOTFOUND':
        return new ChannelError(
          'CHANNEL_NOT_FOUND',
          `${this.address}: no host of that name; check the spelling`,
          { cause },
        );
      default:
        return new ChannelError(
          'CHANNEL_FAILED',
          `${this.address}: cannot connect: ${cause.message}`,
          { cause },
        );
    }
  }

  close(): Promise<void> {
    this.#closing.abort(new ChannelError('CHANNEL_CLOSED', `${this.address} was closed`));
    this.#session?.close();
    return Promise.resolve();
  }
}
