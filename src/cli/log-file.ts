/** Where a mount in the background leaves its messages, and what it could not upload. */
import { appendFileSync, mkdirSync, openSync, closeSync, renameSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UsageError } from '../errors.js';
import { createLogger, type Logger, type LogLevel } from '../log.js';

/** A log over this size is put aside as FILE.1 at the next start. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** Where a user's programs keep what is neither configuration nor cache (XDG base directories). */
function stateFolder(env: NodeJS.ProcessEnv): string {
  const state = env['XDG_STATE_HOME'];
  const set = state !== undefined && path.isAbsolute(state);
  return path.join(set ? state : path.join(os.homedir(), '.local', 'state'), 'davport');
}

export function defaultLogFile(env: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return '/var/log/davport.log';
  return path.join(stateFolder(env), 'davport.log');
}

/** For content that could not be uploaded: a place that nobody empties. */
export function defaultKeepDir(env: NodeJS.ProcessEnv): string {
  return process.getuid?.() === 0 ? '/var/lib/davport' : stateFolder(env);
}

/** Makes sure that `file` can be written; 0600, since it names files of the share. */
export function prepareLogFile(file: string): void {
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
    closeSync(openSync(file, 'a', 0o600));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`cannot write the log: ${reason}; name another with -o log=FILE`, {
      cause: error,
    });
  }
}

/** Lines are appended at once: after a crash the last of them says why. A full disk must not end a mount. */
export function fileLogger(level: LogLevel, file: string, label: string): Logger {
  return createLogger(level, (line) => {
    try {
      appendFileSync(file, `${new Date().toISOString()} [${label}] ${line}\n`);
    } catch {
      // There is no other place to say so.
    }
  });
}

export function stderrLogger(level: LogLevel): Logger {
  return createLogger(level, (line) => process.stderr.write(`${line}\n`));
}
