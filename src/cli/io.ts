import type { CliIo } from './command.js';

export function processIo(): CliIo {
  const closed = new AbortController();
  process.stdout.on('error', (error) => closed.abort(error));
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    write: (bytes) => void process.stdout.write(bytes),
    isTerminal: process.stdout.isTTY,
    outputClosed: closed.signal,
    env: process.env,
    cwd: process.cwd(),
  };
}
