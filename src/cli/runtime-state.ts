/**
 * What a running mount says of itself in a small file, so that `davport umount` finds its process and can tell how far it
 * is. One file per mountpoint in a folder that only the same user can write.
 */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface RuntimeState {
  readonly pid: number;
  /** Start time of the process in ticks since boot: a pid alone may have been given to another process meanwhile. */
  readonly started: string;
  readonly mountpoint: string;
  readonly source: string;
  /** 'failed': the process ended and something could not be uploaded; the file stays to say so. */
  readonly phase: 'starting' | 'mounted' | 'stopping' | 'failed';
  /** What it is doing, for people. */
  readonly message: string;
  /** Where its messages go; absent in the foreground. */
  readonly logFile?: string;
}

export interface FoundState extends RuntimeState {
  readonly file: string;
}

/** Folders that may hold the state of a mount of `uid`, best first. */
export function runtimeFolders(env: NodeJS.ProcessEnv, uid: number): string[] {
  if (uid === 0) return ['/run/davport'];
  const own = uid === process.getuid?.() ? env['XDG_RUNTIME_DIR'] : undefined;
  const folders = [`/run/user/${uid}/davport`, path.join(os.tmpdir(), `davport-${uid}`)];
  return own !== undefined && path.isAbsolute(own)
    ? [path.join(own, 'davport'), ...folders]
    : folders;
}

function fileName(mountpoint: string): string {
  return `${createHash('sha256').update(mountpoint).digest('hex').slice(0, 32)}.json`;
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); undefined when there is no such process. */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything, spaces and parentheses included.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; in a container it may stay for ever since nobody collects it.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function isRunning(state: RuntimeState): boolean {
  return processStart(state.pid) === state.started;
}

export class RuntimeStateFile {
  readonly #file: string | undefined;
  #state: RuntimeState;

  /** Never fails: a mount without such a file works, `davport umount` then unmounts it as umount(8) does. */
  constructor(env: NodeJS.ProcessEnv, state: Omit<RuntimeState, 'pid' | 'started'>) {
    this.#state = { ...state, pid: process.pid, started: processStart(process.pid) ?? '' };
    const folder = runtimeFolders(env, process.getuid?.() ?? 0).find(isOwnFolder);
    this.#file = folder === undefined ? undefined : path.join(folder, fileName(state.mountpoint));
    this.update({});
  }

  /** Undefined where no folder can be used. */
  get file(): string | undefined {
    return this.#file;
  }

  update(change: Partial<Pick<RuntimeState, 'phase' | 'message'>>): void {
    this.#state = { ...this.#state, ...change };
    if (this.#file === undefined) return;
    const draft = `${this.#file}.${process.pid}`;
    try {
      writeFileSync(draft, `${JSON.stringify(this.#state)}\n`, { mode: 0o600 });
      renameSync(draft, this.#file);
    } catch {
      rmSync(draft, { force: true });
    }
  }

  remove(): void {
    // A mount that was made at the same path meanwhile has written its own state there.
    if (this.#file !== undefined && readState(this.#file)?.pid === process.pid) {
      rmSync(this.#file, { force: true });
    }
  }
}

/** Made if need be; a folder of someone else (in the temporary folder anyone can make one) is not used. */
function isOwnFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // There already, or its parent is missing: what is there decides.
  }
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  return stats !== undefined && stats.isDirectory() && stats.uid === process.getuid?.();
}

/** The state of the mount at `mountpoint` by user `uid`, if its process still runs. */
export function findRuntimeState(
  env: NodeJS.ProcessEnv,
  mountpoint: string,
  uid: number,
): FoundState | undefined {
  for (const folder of runtimeFolders(env, uid)) {
    const file = path.join(folder, fileName(mountpoint));
    // Whoever owns the file names the process that will get a signal.
    if (lstatSync(file, { throwIfNoEntry: false })?.uid !== uid) continue;
    const state = readState(file);
    if (state?.mountpoint === mountpoint && isRunning(state)) return { ...state, file };
  }
  return undefined;
}

/** What the process of `state` last said, also after its end; undefined when it took its file away (all went well). */
export function readOutcome(state: FoundState): RuntimeState | undefined {
  const last = readState(state.file);
  return last?.pid === state.pid && last.started === state.started ? last : undefined;
}

function readState(file: string): RuntimeState | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isState(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isState(value: unknown): value is RuntimeState {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, started, mountpoint, message } = value as Record<string, unknown>;
  return (
    typeof pid === 'number' &&
    Number.isSafeInteger(pid) &&
    pid > 1 &&
    typeof started === 'string' &&
    typeof mountpoint === 'string' &&
    typeof message === 'string'
  );
}
