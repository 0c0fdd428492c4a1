/**
 * Which interrupts mean "give up". The kernel sends FUSE_INTERRUPT for any signal that arrives while a caller waits, also for the timer
 * of a progress display or a child that ended. stat(2), open(2) and close(2) never fail with EINTR on a local disk for those, and
 * programs (git, make) take it for a broken disk. So only signals that end the caller, or that people send to end it, cancel a request.
 */
import { readFileSync } from 'node:fs';

const SIGHUP = 1;
const SIGINT = 2;
const SIGQUIT = 3;
const SIGKILL = 9;
const SIGTERM = 15;
const SIGCHLD = 17;
const SIGCONT = 18;
const SIGSTOP = 19;
const SIGTSTP = 20;
const SIGTTIN = 21;
const SIGTTOU = 22;
const SIGURG = 23;
const SIGWINCH = 28;

function maskOf(...signals: readonly number[]): bigint {
  return signals.reduce((mask, signal) => mask | (1n << BigInt(signal - 1)), 0n);
}

/** Asked for by a person or a supervisor: they cancel even where the program handles them. */
const REQUESTS_TO_END = maskOf(SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM);
/** Default action: ignore, stop or continue. */
const HARMLESS_BY_DEFAULT = maskOf(
  SIGCHLD,
  SIGCONT,
  SIGSTOP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGWINCH,
);

/** Reads the masks of proc_pid_status(5). Exported for tests. */
export function wantsToEnd(status: string): boolean {
  const pending = (field(status, 'SigPnd') | field(status, 'ShdPnd')) & ~field(status, 'SigBlk');
  const ignored = field(status, 'SigIgn');
  const caught = field(status, 'SigCgt');
  const fatal = pending & ~ignored & ~caught & ~HARMLESS_BY_DEFAULT;
  return fatal !== 0n || (pending & REQUESTS_TO_END & ~ignored) !== 0n;
}

function field(status: string, name: string): bigint {
  const match = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status);
  return match?.[1] === undefined ? 0n : BigInt(`0x${match[1]}`);
}

/** Does the interrupted thread want its request to end? Yes when it can't be told: an interrupt must not be lost. */
export function isEnding(threadId: number): boolean {
  if (threadId === 0) return true;
  try {
    return wantsToEnd(readFileSync(`/proc/${threadId}/status`, 'latin1'));
  } catch {
    return true;
  }
}
