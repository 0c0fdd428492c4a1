import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { Logger } from '../log.js';
import type { ExecAddress } from './address.js';
import { BackOff } from './back-off.js';
import type { Channel, ChannelSession, ChannelSink } from './channel.js';
import { ChannelError } from './errors.js';
import { StreamSession } from './stream-session.js';

/** How long a command has to end by itself after SIGTERM. */
const KILL_DELAY_MS = 5000;

/** A command that ends sooner than this is started again more and more slowly. */
const MIN_LIFE_MS = 1000;

/** What a shell (POSIX 2.8.2) or env(1) exits with when it could not run what it was told to. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

type Child = ChildProcessByStdio<Writable, Readable, null>;

/**
 * The standard input and output of a command (`exec:`), which is run once for each session. Its standard error is ours. It stays in
 * our process group: ssh asks for a password on the terminal, and ^C ends both.
 */
export class ExecChannel implements Channel {
  readonly address: string;
  readonly #words: readonly string[];
  readonly #log: Logger;
  readonly #closing = new AbortController();
  readonly #backOff = new BackOff();
  #session: StreamSession | undefined;
  #startedAt = Number.NEGATIVE_INFINITY;
  /** Settles when the last command has ended. */
  #exited: Promise<unknown> = Promise.resolve();
  #failure: ChannelError | undefined;

  constructor(target: ExecAddress, log: Logger) {
    this.address = target.text;
    this.#words = target.words;
    this.#log = log;
  }

  async open(sink: ChannelSink, signal: AbortSignal): Promise<ChannelSession> {
    if (this.#session !== undefined) throw new Error(`${this.address}: open() during a session`);
    const either = AbortSignal.any([signal, this.#closing.signal]);
    // Two at a time could both hold the same device or port.
    await unlessAborted(this.#exited, either);
    either.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    if (performance.now() - this.#startedAt < MIN_LIFE_MS) await this.#backOff.wait(either);
    else this.#backOff.reset();
    const child = await this.#start();
    this.#session = new StreamSession({
      address: this.address,
      // Read from now on: Node throws away what a process that has ended left in a pipe that nobody reads yet.
      readable: child.stdout.pipe(new PassThrough()),
      writable: child.stdin,
      sink,
      onEnd: () => {
        this.#session = undefined;
        terminate(child);
      },
    });
    if (either.aborted) this.#session.close();
    return this.#session;
  }

  async #start(): Promise<Child> {
    const [program, ...args] = this.#words;
    this.#startedAt = performance.now();
    const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await once(child, 'spawn');
    } catch (cause) {
      throw this.#explain(cause as NodeJS.ErrnoException);
    }
    child.on('error', (error) => {
      this.#log.warn('the command could not be signalled', { reason: error.message });
    });
    this.#exited = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => {
      this.#onExit(code as number | null, signal as string | null);
    });
    return child;
  }

  #onExit(code: number | null, signal: string | null): void {
    const early = performance.now() - this.#startedAt < MIN_LIFE_MS;
    if (early && (code === NOT_FOUND || code === NOT_EXECUTABLE)) {
      this.#failure = new ChannelError(
        'CHANNEL_NOT_FOUND',
        `${this.address}: the command exited with ${code}: something in it can't be run; try it in a shell`,
      );
    }
    this.#log.info('the command of the channel ended', {
      code: code ?? undefined,
      signal: signal ?? undefined,
    });
  }

  #explain(cause: NodeJS.ErrnoException): ChannelError {
    const program = this.#words[0]!;
    switch (cause.code) {
      case 'ENOENT':
        return new ChannelError(
          'CHANNEL_NOT_FOUND',
          `${this.address}: there is no program ${program}; install it or give its full path`,
          { cause },
        );
      case 'EACCES':
        return new ChannelError(
          'CHANNEL_PERMISSION',
          `${this.address}: ${program} may not be run; check its mode`,
          { cause },
        );
      default:
        return new ChannelError(
          'CHANNEL_FAILED',
          `${this.address}: ${program} can't be started: ${cause.message}`,
          { cause },
        );
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new ChannelError('CHANNEL_CLOSED', `${this.address} was closed`));
    this.#session?.close();
    await this.#exited;
  }
}

/** SIGTERM now, SIGKILL later if that didn't do. */
function terminate(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_DELAY_MS);
  child.once('exit', () => clearTimeout(timer));
}

function unlessAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
