import net from 'node:net';
import { DavportError } from '../errors.js';
import { controlSocketOf, objectIn, parseLine, type ControlLine } from './control-protocol.js';
import type { FoundState } from './runtime-state.js';

/** Asks the process of a mount; gives the lines of its answer up to the last one. `signal` ends the connection. */
export async function* ask(
  { file, pid, mountpoint }: FoundState,
  question: ControlLine,
  signal: AbortSignal,
): AsyncGenerator<ControlLine, ControlLine, undefined> {
  const socket = net.connect(controlSocketOf(file, pid));
  const stop = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    socket.write(`${JSON.stringify(question)}\n`);
    let rest = '';
    for await (const chunk of socket.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const reply = parseLine(line);
        const error = objectIn(reply, 'error');
        if (error) throw new DavportError(String(error['code']), String(error['message']));
        if (reply?.['end'] !== undefined) return objectIn(reply, 'end') ?? {};
        if (reply) yield reply;
      }
    }
    throw new DavportError('CONTROL_LOST', `the process of ${mountpoint} ended in the middle`);
  } catch (error) {
    signal.throwIfAborted();
    throw explain(error, mountpoint);
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

function explain(error: unknown, mountpoint: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const message = `the process of ${mountpoint} can't be asked: ${error.message}`;
  return new DavportError('CONTROL_FAILED', message, { cause: error });
}
