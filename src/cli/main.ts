/** The command line: finds the command, runs it, turns errors into one line and an exit code. */
import { readFileSync } from 'node:fs';
import { DavportError, UsageError } from '../errors.js';
import { EXIT, type CliIo, type CommandSpec } from './command.js';
import { demoCommand } from './demo-command.js';
import { commandHelp, generalHelp } from './help.js';
import { mountCommand } from './mount-command.js';
import { processIo } from './io.js';
import { nearest } from '../fuse/nearest.js';
import { parseCommandLine } from './parse.js';
import { searchCommand } from './search-command.js';
import { shareCommand } from './share-command.js';
import { statusCommand } from './status-command.js';
import { umountCommand } from './umount-command.js';

export const COMMANDS: readonly CommandSpec[] = [
  mountCommand,
  umountCommand,
  statusCommand,
  searchCommand,
  shareCommand,
  demoCommand,
];

export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return report(error, io);
  }
}

async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    const names = COMMANDS.map(({ name }) => name).join(', ');
    throw new UsageError(`which command? ${names}; davport --help explains them`);
  }
  if (first === '--version' || first === '-V') {
    io.out(`davport ${version()}`);
    return EXIT.ok;
  }
  if (first === '--help' || first === '-h' || first === 'help') {
    const [name] = rest;
    io.out(name === undefined ? generalHelp(COMMANDS) : commandHelp(findCommand(name)));
    return EXIT.ok;
  }
  const command = findCommand(first);
  const args = parseCommandLine(command, rest);
  if (args.has('help')) {
    io.out(commandHelp(command));
    return EXIT.ok;
  }
  return await command.run(args, io);
}

function findCommand(name: string): CommandSpec {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command) return command;
  const names = COMMANDS.map((candidate) => candidate.name);
  const guess = nearest(name, names);
  const hint = guess === undefined ? `commands: ${names.join(', ')}` : `did you mean ${guess}?`;
  throw new UsageError(
    name.startsWith('-')
      ? `no option ${name}; see davport --help`
      : `no command "${name}"; ${hint}`,
  );
}

/** One line for what went wrong; the trace only where it is a defect of davport itself. */
export function report(error: unknown, io: CliIo): number {
  if (error instanceof DavportError) {
    io.err(`davport: ${error.message}`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
  // A system call that failed says enough by itself.
  if (error instanceof Error && 'syscall' in error) {
    io.err(`davport: ${error.message}`);
    return EXIT.failed;
  }
  io.err(`davport: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return EXIT.failed;
}

export function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  const { version: text } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return text;
}

/** What a launcher calls. The exit code is set, not forced: output that is still on its way to a pipe is not cut. */
export async function main(
  run: (argv: readonly string[], io: CliIo) => Promise<number>,
): Promise<void> {
  // A reader that has seen enough (davport --help | head) is no error.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  process.exitCode = await run(process.argv.slice(2), processIo());
}
