/** A process that runs beside the test: a server, a mount in the foreground. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { onCleanup } from './cleanup.js';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Background {
  readonly pid: number;
  /** Everything it printed so far on both outputs. */
  log(): string;
  readonly exited: Promise<Exit>;
  readonly running: boolean;
  /** To the process alone. */
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and after `graceMs` SIGKILL to its group; resolves when it is gone. */
  stop(graceMs?: number): Promise<Exit>;
}

export interface BackgroundOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: 'pipe' | 'ignore';
  /** Where its output goes, instead of to this process, which would wake up for each line. */
  readonly outputFile?: string;
}

export function startBackground(
  command: string,
  args: readonly string[],
  options: BackgroundOptions = {},
): Background {
  const output = options.outputFile === undefined ? 'pipe' : openSync(options.outputFile, 'a');
  const child = spawn(command, args, {
    cwd: options.cwd ?? '/',
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    detached: true,
    stdio: [options.stdin ?? 'ignore', output, output],
  });
  if (typeof output === 'number') closeSync(output);
  const chunks: Buffer[] = [];
  let finished = false;
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const group = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // Gone already.
    }
  };
  const forget = onCleanup({
    run: async () => {
      await background.stop();
    },
    runSync: () => group('SIGKILL'),
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once('error', (error) => {
      finished = true;
      chunks.push(Buffer.from(String(error)));
      resolve({ code: null, signal: null });
    });
    child.once('exit', (code, signal) => {
      finished = true;
      forget();
      resolve({ code, signal });
    });
  });
  const background: Background = {
    pid: child.pid ?? -1,
    log: () =>
      Buffer.concat(chunks).toString() +
      (options.outputFile === undefined ? '' : readFileSync(options.outputFile, 'utf8')),
    exited,
    get running() {
      return !finished;
    },
    kill: (signal) => void child.kill(signal),
    async stop(graceMs = 5000) {
      if (!finished) child.kill('SIGTERM');
      const timer = setTimeout(() => group('SIGKILL'), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
  };
  return background;
}
