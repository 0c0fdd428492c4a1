/**
 * A davport process started by another davport process: it says when it is ready or why it can't be, over Node's message
 * channel. Two kinds of parents:
 * - 'background': waits for that word, prints it and ends; the child goes on alone.
 * - 'demo': stays; when it is gone (killed, crashed) the child ends in good order.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EXIT } from './command.js';

const PARENT_VARIABLE = 'DAVPORT_PARENT';

export type ParentKind = 'background' | 'demo';

export type ChildWord =
  | { readonly type: 'ready'; readonly notes: readonly string[] }
  | { readonly type: 'failed'; readonly message: string; readonly exitCode: number };

export function parentKind(env: NodeJS.ProcessEnv): ParentKind | undefined {
  const kind = env[PARENT_VARIABLE];
  const known = kind === 'background' || kind === 'demo';
  return known && process.send !== undefined ? kind : undefined;
}

/** Tells the parent; resolves when the word has left, also when nobody listens any more. */
export function tellParent(word: ChildWord): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(word, undefined, undefined, () => resolve());
  });
}

/** From here on the channel to the parent keeps neither side alive. */
export function leaveParent(): void {
  if (process.connected) process.disconnect();
}

export interface SupervisedChild {
  readonly process: ChildProcess;
  /** Its word, or 'failed' when it ended without one. Never rejects. */
  readonly word: Promise<ChildWord>;
  readonly exited: Promise<number>;
}

/** Starts this program again. Signals of the terminal don't reach the child: it is in a session of its own. */
export function startSupervised(
  kind: ParentKind,
  args: readonly string[],
  options: { readonly stdio: StdioOptions; readonly env: NodeJS.ProcessEnv },
): SupervisedChild {
  // Not process.argv[1]: that may be the helper of mount(8), which reads its arguments in another way.
  const program = fileURLToPath(new URL('../../bin/davport', import.meta.url));
  const child = spawn(process.execPath, [program, ...args], {
    detached: true,
    stdio: options.stdio,
    env: { ...options.env, [PARENT_VARIABLE]: kind },
  });
  const exited = new Promise<number>((resolve) => {
    child.once('error', () => resolve(EXIT.failed));
    child.once('exit', (code) => resolve(code ?? EXIT.failed));
  });
  const word = new Promise<ChildWord>((resolve) => {
    child.on('message', (message) => {
      if (isWord(message)) resolve(message);
    });
    const ended = (how: string): void =>
      resolve({ type: 'failed', message: `${args[0] ?? ''}: ${how}`, exitCode: EXIT.failed });
    child.once('error', (error) => ended(`the process could not be started: ${error.message}`));
    // 'exit' may come before the last message: 'close' is after both.
    child.once('close', (code, signal) => ended(`the process ended with ${signal ?? code ?? '?'}`));
  });
  return { process: child, word, exited };
}

function isWord(message: unknown): message is ChildWord {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false;
  return message.type === 'ready' || message.type === 'failed';
}
