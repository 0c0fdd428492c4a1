/** Starts the process that serves a mount in the background, and waits for its word. */
import { closeSync, openSync } from 'node:fs';
import type { StdioOptions } from 'node:child_process';
import type { Address } from '../channel/address.js';
import { EXIT, type CliIo } from './command.js';
import { defaultLogFile, prepareLogFile } from './log-file.js';
import type { MountRequest } from './mount-request.js';
import { startSupervised } from './supervision.js';

export async function mountInBackground(request: MountRequest, io: CliIo): Promise<number> {
  const logFile = request.options.log ?? defaultLogFile(io.env);
  prepareLogFile(logFile);
  // What Node itself prints when it dies goes there too.
  const log = openSync(logFile, 'a');
  const child = startSupervised('background', backgroundArgs(request), {
    stdio: stdioOf(request.address, log),
    env: io.env,
  });
  closeSync(log);
  const word = await child.word;
  if (word.type === 'failed') {
    io.err(`davport: ${word.message}`);
    return word.exitCode;
  }
  for (const note of word.notes) io.err(`davport: ${note}`);
  child.process.disconnect();
  child.process.unref();
  return EXIT.ok;
}

/** The same request again: the child starts in the same folder, and absolute paths don't hurt. No secret is in it. */
function backgroundArgs({ source, mountpoint, lists }: MountRequest): string[] {
  return ['mount', ...lists.flatMap((list) => ['-o', list]), '--', source, mountpoint];
}

/** Descriptors that are the channel are passed on under the same number. */
function stdioOf(address: Address, log: number): StdioOptions {
  if (address.kind === 'stdio') return [0, 1, log, 'ipc'];
  const stdio: (number | 'ignore' | 'ipc')[] = ['ignore', log, log, 'ipc'];
  if (address.kind !== 'fd') return stdio;
  if (address.fd === 3) stdio[3] = 'ignore';
  while (stdio.length <= address.fd) stdio.push('ignore');
  stdio[address.fd] = address.fd;
  // The message channel's number is told to the child by Node: any free one will do.
  if (!stdio.includes('ipc')) stdio.push('ipc');
  return stdio;
}
