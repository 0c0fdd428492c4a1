/** Runs workload.py in a folder: nothing here touches the mount itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onCleanup } from '../support/cleanup.js';
import type { Measured } from './side.js';

const PROGRAM = fileURLToPath(new URL('workload.py', import.meta.url));
/** With the warming up. */
const LIMIT_MS = 60_000;

export interface Work {
  readonly name: string;
  readonly dir: string;
  /** The same folder as the server has it: then what is read must be what was written, and what is written must arrive there. */
  readonly served?: string;
  /** Requests so far. */
  readonly requests?: () => Promise<number | undefined>;
}

/** Rejects when the work fails, or takes longer than `LIMIT_MS`. */
export async function work({ name, dir, served, requests }: Work): Promise<Measured> {
  const child = spawn(
    '/usr/bin/python3',
    [PROGRAM, name, dir, ...(served === undefined ? [] : [served])],
    {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    },
  );
  const kill = (): void => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // Gone already.
    }
  };
  const forget = onCleanup({ run: async () => kill(), runSync: kill });
  const timer = setTimeout(kill, LIMIT_MS);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  child.stdin.on('error', () => undefined);
  const closed = once(child, 'close') as Promise<[number | null]>;
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const ready = await lines.next();
    const before = ready.done ? undefined : await requests?.();
    child.stdin.end('go\n');
    const result = await lines.next();
    const [code] = await closed;
    if (code === null) throw new Error(`not done within ${LIMIT_MS / 1000} s`);
    if (code !== 0 || result.done) {
      throw new Error(complaint.trim().split('\n').at(-1) ?? `exit ${code}`);
    }
    const measured = JSON.parse(result.value) as Measured;
    const after = await requests?.();
    if (before === undefined || after === undefined) return measured;
    return { ...measured, requests: after - before };
  } finally {
    clearTimeout(timer);
    kill();
    forget();
  }
}
