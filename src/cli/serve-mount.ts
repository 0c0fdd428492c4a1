/** The process that serves one mount, from the first connection to the last upload. */
import { DavportError, UsageError } from '../errors.js';
import type { Mount } from '../fuse/mount.js';
import { findMount } from '../fuse/mountinfo.js';
import type { Logger } from '../log.js';
import { EXIT, type CliIo } from './command.js';
import { searchHandler } from './control-search.js';
import { statusHandler } from './control-status.js';
import { ControlServer } from './control-server.js';
import { defaultKeepDir, defaultLogFile, fileLogger, stderrLogger } from './log-file.js';
import type { MountRequest } from './mount-request.js';
import { probePeer } from './probe.js';
import { RuntimeStateFile } from './runtime-state.js';
import { sdNotify } from './sd-notify.js';
import { onStopSignals } from './signals.js';
import { leaveParent, parentKind, tellParent } from './supervision.js';
import { uploadEverything } from './upload-everything.js';
import { openStack, type Stack } from './wire.js';

const LINGER_MS = 1000;

export async function serveMount(request: MountRequest, io: CliIo): Promise<number> {
  const background = parentKind(io.env) === 'background';
  const session = new MountSession(request, io, background);
  try {
    return await session.run();
  } catch (error) {
    if (parentKind(io.env) === undefined || !(error instanceof DavportError)) throw error;
    const exitCode = error instanceof UsageError ? EXIT.usage : EXIT.failed;
    await tellParent({ type: 'failed', message: error.message, exitCode });
    return exitCode;
  } finally {
    leaveParent();
    // A handle that somebody forgot must not keep a process alive that has nothing left to do.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

class MountSession {
  readonly #request: MountRequest;
  readonly #io: CliIo;
  readonly #background: boolean;
  readonly #log: Logger;
  readonly #stopping: Promise<void>;
  readonly #giveUp = new AbortController();
  #disposeSignals = (): void => undefined;

  constructor(request: MountRequest, io: CliIo, background: boolean) {
    this.#request = request;
    this.#io = io;
    this.#background = background;
    const { options, mountpoint } = request;
    const level = options.logLevel ?? (options.debug ? 'debug' : 'warn');
    this.#log =
      background || options.log !== undefined
        ? fileLogger(level, options.log ?? defaultLogFile(io.env), mountpoint)
        : stderrLogger(level);
    // From the first moment: a ^C while the peer is looked for must leave no mount behind.
    this.#stopping = new Promise((resolve) => {
      this.#disposeSignals = onStopSignals((count) => {
        if (count === 1) resolve();
        else this.#giveUp.abort(new DavportError('GIVEN_UP', 'given up by a second signal'));
      });
      if (parentKind(io.env) === 'demo') process.once('disconnect', () => resolve());
    });
  }

  async run(): Promise<number> {
    const stack = await openStack(this.#request, this.#log);
    try {
      const notes = await Promise.race([probePeer(stack, this.#request), this.#stopping]);
      if (notes === undefined) return EXIT.ok;
      const mount = await stack.mount();
      return await this.#serve(stack, mount, notes);
    } finally {
      await stack.close();
      this.#disposeSignals();
    }
  }

  async #serve(stack: Stack, mount: Mount, notes: readonly string[]): Promise<number> {
    const { mountpoint, source } = this.#request;
    const mountId = (await findMount(mount.mountpoint))?.id;
    const state = new RuntimeStateFile(this.#io.env, {
      mountpoint,
      source,
      phase: 'mounted',
      message: 'mounted',
    });
    const questions = new Map([
      ['search', searchHandler(stack.client)],
      ['status', statusHandler(stack.fs, () => stack.mux?.connected)],
    ]);
    const control = await ControlServer.listen(state.file, questions, this.#log);
    await this.#announce(notes);
    const reason = await Promise.race([mount.ended, this.#stopping.then(() => 'stopped' as const)]);
    await sdNotify(this.#io.env, 'STOPPING=1');
    await control?.close();
    // First, so that what programs still hold open is closed, and all of it goes to the peer once.
    if (reason === 'stopped') await this.#unmount(mount, mountId);
    const failures = await uploadEverything({
      fs: stack.fs,
      timeoutMs: stack.timeoutMs,
      keepDir: defaultKeepDir(this.#io.env),
      signal: this.#giveUp.signal,
      say: (message) => {
        state.update({ phase: 'stopping', message });
        if (this.#background) this.#log.info(message);
        else this.#io.err(`davport: ${message}`);
      },
    });
    if (failures.length === 0) {
      state.remove();
      return EXIT.ok;
    }
    const summary = failures.join('; ');
    this.#log.error(summary);
    state.update({ phase: 'failed', message: summary });
    return EXIT.failed;
  }

  async #announce(notes: readonly string[]): Promise<void> {
    const { mountpoint, source } = this.#request;
    await tellParent({ type: 'ready', notes });
    if (this.#background) {
      leaveParent();
      process.chdir('/');
    } else if (parentKind(this.#io.env) === undefined) {
      for (const note of notes) this.#io.err(`davport: ${note}`);
      this.#io.err(`davport: ${source} is mounted at ${mountpoint}; ^C unmounts`);
    }
    await sdNotify(this.#io.env, 'READY=1');
  }

  /** A program may still work there: it gets ENOTCONN for what it has open, which was uploaded or is kept. */
  async #unmount(mount: Mount, mountId: number | undefined): Promise<void> {
    const there = await findMount(mount.mountpoint);
    // Somebody detached ours (umount -l), and another one is there now: not ours to unmount. This process ends, and ours with it.
    if (there && there.id !== mountId) return;
    try {
      await mount.unmount({ force: there === undefined });
    } catch (error) {
      this.#log.warn('the mount is in use and is detached', { reason: String(error) });
      await mount.unmount({ force: true });
    }
  }
}
