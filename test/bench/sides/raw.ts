/** A plain HTTP client on the same channel, without mount: see raw-client.ts. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onCleanup } from '../../support/cleanup.js';
import type { Row } from '../rows.js';
import type { Server } from '../servers.js';
import type { Measured, Side } from '../side.js';

const PROGRAM = fileURLToPath(new URL('../raw-client.js', import.meta.url));

export function rawSide(name: string, server: Server): Side {
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  onCleanup({ run: stop, runSync: () => void child?.kill('SIGKILL') });
  return {
    name,
    can: (row) => row.raw !== undefined,
    // It keeps nothing that would have to be emptied.
    async fresh() {
      if (child !== undefined) return;
      child = fork(PROGRAM, [server.channel]);
      await answer(child);
    },
    async measure({ raw, name: row }: Row): Promise<Measured> {
      child!.send(raw!);
      const measured = (await answer(child!)) as Measured | { error: string };
      if ('error' in measured) throw new Error(`${row}: ${measured.error}`);
      // Files, where those are counted.
      if (row === 'small' && raw?.kind === 'get') return { ...measured, done: raw.paths.length };
      return measured;
    },
    memory: () => undefined,
    clear: async () => undefined,
    end: stop,
  };
}

async function answer(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const { signal } = over;
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new Error('the raw client ended');
  });
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal }), gone])) as [unknown];
    return message;
  } finally {
    over.abort();
  }
}
