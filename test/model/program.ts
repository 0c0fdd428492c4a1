/** A Python program that does steps, and asks for what only its caller can do: "ask WHAT" is answered by "done". */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onCleanup } from '../support/cleanup.js';
import { PROGRAMS } from './sides.js';

export type Answers = Readonly<Record<string, () => Promise<void>>>;

/** Resolves with what it printed; rejects with that if it fails, or makes no sound for `silenceMs`. */
export async function runProgram(
  name: string,
  args: readonly string[],
  answers: Answers,
  onLine: (line: string) => void,
): Promise<string> {
  const child = spawn('/usr/bin/python3', [PROGRAMS + name, ...args], {
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  const done = onCleanup({ run: async () => kill(), runSync: kill });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const printed: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => printed.push(chunk.toString()));
  child.stdin.on('error', () => undefined);
  for await (const line of createInterface({ input: child.stdout })) {
    const asked = /^ask (.+)$/.exec(line)?.[1];
    if (asked === undefined) {
      printed.push(line);
      onLine(line);
      continue;
    }
    const answer = answers[asked];
    const outcome =
      answer === undefined
        ? 'unknown'
        : await answer().then(
            () => 'done',
            (error: unknown) => String(error).replaceAll('\n', ' '),
          );
    child.stdin.write(`${outcome}\n`);
  }
  const [code, signal] = await closed;
  done();
  if (code !== 0) throw new Error(`${name}: ${signal ?? `exit ${code}`}\n${printed.join('\n')}`);
  return printed.join('\n');
}
