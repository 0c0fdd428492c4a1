/**
 * Commands in process groups of their own, with a time limit. The runner itself never touches a mount: everything that does runs here.
 * Never set `cwd` to a folder of a mount: the spawning process waits for the child's chdir. Let the script do `cd`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { onCleanup } from './cleanup.js';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default 60 s. The group is killed then, and the promise rejects. */
  readonly timeoutMs?: number;
  readonly input?: string | Buffer;
  /** Exit codes that are no failure. Default [0]; 'any' accepts all, also death by a signal. */
  readonly accept?: readonly number[] | 'any';
}

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export class RunError extends Error {
  readonly result: RunResult;
  constructor(command: string, why: string, result: RunResult) {
    const tail = (text: string): string => text.trimEnd().slice(-4000);
    super(`${command}: ${why}\n${tail(result.stderr)}\n${tail(result.stdout)}`.trimEnd());
    this.result = result;
  }
}

/** Called when a process ignores SIGKILL: it hangs in the kernel, on a mount that somebody must abort. */
const stuckHandlers = new Set<() => void>();
export function onStuckProcess(handler: () => void): () => void {
  stuckHandlers.add(handler);
  return () => {
    stuckHandlers.delete(handler);
  };
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

/** Ends the group for certain: SIGKILL, and where that does nothing, an abort of this process's mounts. */
async function killForCertain(child: ChildProcess, closed: Promise<unknown>): Promise<void> {
  killGroup(child, 'SIGKILL');
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<'stuck'>((resolve) => {
    timer = setTimeout(resolve, 3000, 'stuck');
  });
  if ((await Promise.race([closed, stuck])) === 'stuck') {
    for (const handler of stuckHandlers) handler();
    await closed;
  }
  clearTimeout(timer);
}

export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const started = performance.now();
  const child = spawn(command, args, {
    cwd: options.cwd ?? '/',
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    detached: true,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  const done = onCleanup({
    run: async () => killGroup(child, 'SIGKILL'),
    runSync: () => killGroup(child, 'SIGKILL'),
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.input);
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const timeoutMs = options.timeoutMs ?? 60_000;
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort();
    void killForCertain(child, closed).catch(() => undefined);
  }, timeoutMs);
  try {
    const [code, signal] = await closed;
    const ms = performance.now() - started;
    const result = { code, signal, stdout: stdout(), stderr: stderr(), ms };
    const label = [command, ...args].join(' ').slice(0, 600);
    if (limit.signal.aborted) throw new RunError(label, `not done within ${timeoutMs} ms`, result);
    const accept = options.accept ?? [0];
    if (accept !== 'any' && !accept.includes(code ?? -1)) {
      throw new RunError(label, `exit ${code ?? signal}`, result);
    }
    return result;
  } finally {
    clearTimeout(timer);
    done();
  }
}

/** A bash script; `args` are $1, $2, …. */
export function bash(
  script: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunResult> {
  return run('/bin/bash', ['--norc', '-euo', 'pipefail', '-c', script, 'bash', ...args], options);
}

/** A Python program with the system's interpreter: it has system calls that Node lacks, and threads that really block. */
export function python(
  program: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunResult> {
  return run('/usr/bin/python3', ['-c', program, ...args], options);
}
