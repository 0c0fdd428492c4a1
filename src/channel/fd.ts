import type { Stats } from 'node:fs';
import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { NativeBinding } from '../native/binding.js';
import type { FdAddress, StdioAddress } from './address.js';
import type { Channel, ChannelSession, ChannelSink } from './channel.js';
import { ChannelError } from './errors.js';
import { StreamSession } from './stream-session.js';
import { VirtioSession } from './virtio-session.js';

export interface FdOptions {
  readonly binding: NativeBinding | Error;
}

/**
 * An inherited descriptor (`fd:N`: a socket, or a device such as an open virtio port) or a pair of them (`stdio:`). It can't be
 * opened again, so there is one session; afterwards `open` rejects.
 */
export class FdChannel implements Channel {
  readonly address: string;
  readonly #input: number;
  readonly #output: number;
  readonly #binding: NativeBinding | Error;
  #session: ChannelSession | undefined;
  #used = false;

  constructor(target: FdAddress | StdioAddress, { binding }: FdOptions) {
    this.address = target.text;
    this.#input = target.kind === 'fd' ? target.fd : 0;
    this.#output = target.kind === 'fd' ? target.fd : 1;
    this.#binding = binding;
  }

  open(sink: ChannelSink, signal: AbortSignal): Promise<ChannelSession> {
    // As a promise's executor, so that what throws rejects.
    return new Promise((resolve) => {
      signal.throwIfAborted();
      if (this.#used) {
        throw new ChannelError(
          'CHANNEL_CLOSED',
          `${this.address}: the other end was closed; a descriptor can't be opened again`,
        );
      }
      this.#session = this.#start(sink);
      this.#used = true;
      resolve(this.#session);
    });
  }

  #start(sink: ChannelSink): ChannelSession {
    const input = this.#stat(this.#input);
    const output = this.#stat(this.#output);
    const same = input.dev === output.dev && input.ino === output.ino;
    if (same && input.isSocket()) return this.#socketSession(sink);
    if (same && input.isCharacterDevice()) return this.#deviceSession(sink);
    if (this.#input !== this.#output && isStream(input) && isStream(output)) {
      return this.#pipesSession(sink);
    }
    throw new ChannelError(
      'CHANNEL_FAILED',
      `${this.address}: ` +
        (this.#input === this.#output
          ? 'a channel goes both ways: give it a socket or a device'
          : 'standard input and output must be pipes or sockets'),
    );
  }

  #stat(fd: number): Stats {
    try {
      return fstatSync(fd);
    } catch (cause) {
      throw new ChannelError(
        'CHANNEL_NOT_FOUND',
        `${this.address}: descriptor ${fd} isn't open; let the parent process pass it on`,
        { cause },
      );
    }
  }

  #socketSession(sink: ChannelSink): StreamSession {
    const socket = new Socket({ fd: this.#input, readable: true, writable: true });
    return new StreamSession({ ...this.#common(sink), readable: socket, writable: socket });
  }

  #pipesSession(sink: ChannelSink): StreamSession {
    return new StreamSession({
      ...this.#common(sink),
      readable: new Socket({ fd: this.#input, readable: true, writable: false }),
      writable: new Socket({ fd: this.#output, readable: false, writable: true }),
    });
  }

  #common(sink: ChannelSink): { address: string; sink: ChannelSink; onEnd: () => void } {
    return { address: this.address, sink, onEnd: () => (this.#session = undefined) };
  }

  /** Node's event loop can't watch a device; the addon can. */
  #deviceSession(sink: ChannelSink): VirtioSession {
    if (this.#binding instanceof Error) {
      throw new ChannelError(
        'CHANNEL_FAILED',
        `${this.address}: a device needs the native addon; build it with: npm run build:native`,
        { cause: this.#binding },
      );
    }
    const io = this.#binding.openFd(this.#input);
    const session = new VirtioSession(this.address, io, sink, () => (this.#session = undefined));
    session.start();
    return session;
  }

  close(): Promise<void> {
    this.#used = true;
    this.#session?.close();
    return Promise.resolve();
  }
}

function isStream(stats: Stats): boolean {
  return stats.isFIFO() || stats.isSocket();
}
