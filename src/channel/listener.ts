import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Logger } from '../log.js';
import type { TcpAddress, UnixAddress } from './address.js';
import type { Channel, ChannelSession, ChannelSink } from './channel.js';
import { ChannelError } from './errors.js';
import { StreamSession } from './stream-session.js';

const KEEP_ALIVE_MS = 30_000;

/** Connections that wait for the present one to end. */
const MAX_WAITING = 4;

interface Waiter {
  readonly sink: ChannelSink;
  readonly resolve: (session: StreamSession) => void;
}

/**
 * A stream socket that is connected to (`unix-listen:`, `tcp-listen:`). It listens from the first `open` to `close`; each
 * connection is a session.
 *
 * A connection that comes during a session: over TCP it takes the place of the old one, because a peer that lost its network or its
 * power can't be seen to be gone, and its successor would be locked out. On a unix socket the end of a peer is always seen, so the
 * old one is alive, and two live peers that throw each other out again and again would help nobody: the new one waits.
 */
export class ListenChannel implements Channel {
  readonly address: string;
  readonly #target: UnixAddress | TcpAddress;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  #server: Server | undefined;
  #listening: Promise<Server> | undefined;
  #waiter: Waiter | undefined;
  #session: StreamSession | undefined;
  /** Connected and paused, oldest first. */
  readonly #connections: Socket[] = [];

  constructor(target: UnixAddress | TcpAddress, log: Logger) {
    this.address = target.text;
    this.#target = target;
    this.#log = log;
  }

  async open(sink: ChannelSink, signal: AbortSignal): Promise<ChannelSession> {
    if (this.#session !== undefined || this.#waiter !== undefined) {
      throw new Error(`${this.address}: open() during a session`);
    }
    const either = AbortSignal.any([signal, this.#closing.signal]);
    either.throwIfAborted();
    this.#listening ??= this.#listen();
    try {
      await this.#listening;
    } catch (error) {
      this.#listening = undefined;
      throw error;
    }
    either.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiter = undefined;
        reject(either.reason as Error);
      };
      either.addEventListener('abort', onAbort, { once: true });
      this.#waiter = {
        sink,
        resolve: (session) => {
          either.removeEventListener('abort', onAbort);
          resolve(session);
        },
      };
      this.#match();
    });
  }

  /** The port that was chosen for `tcp-listen:HOST:0`; undefined before the first `open` has got that far. */
  get port(): number | undefined {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : undefined;
  }

  async #listen(): Promise<Server> {
    const server = createServer({ pauseOnConnect: true, noDelay: true });
    server.on('connection', (socket) => this.#onConnection(socket));
    this.#server = server;
    if (!('path' in this.#target)) {
      const { host, port } = this.#target;
      await this.#bind(server, () => server.listen(port, host));
    } else {
      await this.#listenAt(server, this.#target.path);
    }
    // Such as a lack of descriptors for one connection: the next one may succeed.
    server.on('error', (error) => {
      this.#log.warn('a connection was not accepted', { reason: error.message });
    });
    this.#log.info('waiting for the other side', { channel: this.address });
    if (this.#closing.signal.aborted) server.close();
    return server;
  }

  async #listenAt(server: Server, path: string): Promise<void> {
    await this.#removeStale(path);
    await this.#bind(server, () => {
      // listen() binds before it returns, so the file never exists with another mode.
      const umask = process.umask(0o177);
      try {
        server.listen(path);
      } finally {
        process.umask(umask);
      }
    });
  }

  async #bind(server: Server, listen: () => void): Promise<void> {
    try {
      listen();
      await once(server, 'listening');
    } catch (cause) {
      throw this.#explain(cause as NodeJS.ErrnoException);
    }
  }

  /** The socket file of a process that died is in the way for ever; that of a living one isn't ours to take. */
  async #removeStale(path: string): Promise<void> {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (!stats.isSocket()) {
      throw new ChannelError(
        'CHANNEL_FAILED',
        `${this.address}: there is a file of that name that is no socket; move it or choose another path`,
      );
    }
    if (await isAlive(path)) throw this.#busy();
    this.#log.info('taking over the socket of a process that is gone', { path });
    try {
      unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        throw this.#explain(error as NodeJS.ErrnoException);
      }
    }
  }

  #busy(cause?: Error): ChannelError {
    return new ChannelError(
      'CHANNEL_BUSY',
      `${this.address}: another process listens there; stop it or choose another address`,
      { cause },
    );
  }

  #explain(cause: NodeJS.ErrnoException): ChannelError {
    switch (cause.code) {
      case 'EADDRINUSE':
        return this.#busy(cause);
      case 'EACCES':
      case 'EPERM':
        return new ChannelError(
          'CHANNEL_PERMISSION',
          `${this.address}: this user may not listen there; choose another address`,
          { cause },
        );
      default:
        return new ChannelError(
          'CHANNEL_FAILED',
          `${this.address}: cannot listen: ${cause.message}`,
          { cause },
        );
    }
  }

  #onConnection(socket: Socket): void {
    const replaces = this.#target.kind === 'tcp-listen';
    const dropped = replaces || this.#connections.length >= MAX_WAITING;
    if (dropped) this.#connections.shift()?.destroy();
    // Until it is taken up; a waiting connection that breaks is noticed then.
    socket.on('error', () => undefined);
    if (replaces) socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#connections.push(socket);
    if (this.#session !== undefined) {
      this.#log.warn(
        replaces
          ? 'a new connection takes the place of the present one'
          : 'a second program has connected; it waits until the first one is gone',
        { channel: this.address },
      );
      if (replaces) this.#session.close();
    }
    this.#match();
  }

  #match(): void {
    const waiter = this.#waiter;
    if (waiter === undefined || this.#session !== undefined) return;
    const socket = this.#connections.shift();
    if (socket === undefined) return;
    this.#waiter = undefined;
    this.#session = new StreamSession({
      address: this.address,
      readable: socket,
      writable: socket,
      sink: waiter.sink,
      onEnd: () => (this.#session = undefined),
    });
    waiter.resolve(this.#session);
  }

  async close(): Promise<void> {
    this.#closing.abort(new ChannelError('CHANNEL_CLOSED', `${this.address} was closed`));
    this.#session?.close();
    for (const socket of this.#connections.splice(0)) socket.destroy();
    await this.#listening?.catch(() => undefined);
    const server = this.#server;
    // Removes the socket file too.
    if (server?.listening === true) await new Promise((resolve) => server.close(resolve));
  }
}

/** Does anybody accept connections there? */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', ({ code }: NodeJS.ErrnoException) =>
      // EAGAIN: its backlog is full. EACCES: not ours to judge, so not ours to remove.
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}
