/** A process that serves a test file system on a folder of its own (test/support/serve-memory.ts), and how to end it. */
import { chmodSync, cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startBackground, type Background } from '../support/background.js';
import { onCleanup } from '../support/cleanup.js';
import { abortMounts } from '../support/mountinfo.js';
import { onStuckProcess, run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

export interface DaemonOptions {
  readonly bridge: 'kernel' | 'fuse-native';
  readonly kind?: 'memory' | 'null';
  /** Of -o. */
  readonly options?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** An existing folder. Default: a new one. */
  readonly dir?: string;
  /** Default: root. */
  readonly uid?: number;
}

export interface Daemon {
  readonly dir: string;
  readonly process: Background;
}

const PROGRAM = 'test/support/serve-memory.js';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const programPath = join(ROOT, PROGRAM);

/** The sources may lie where only root may look. */
function readableCopy(): string {
  const copy = makeTempDir('davport-copy-');
  chmodSync(copy, 0o755);
  for (const part of ['package.json', 'src', 'test', 'native', 'node_modules']) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true, dereference: true });
  }
  return copy;
}

/** Starts it and waits until it is mounted. A failure carries what it printed. */
export async function startDaemon(given: DaemonOptions): Promise<Daemon> {
  const dir = given.dir ?? join(makeTempDir('davport-fuse-'), 'mnt');
  if (given.dir === undefined) mkdirSync(dir);
  const root = given.uid === undefined ? ROOT : readableCopy();
  const node = [process.execPath, join(root, PROGRAM)];
  const args = [given.kind ?? 'memory', given.bridge, dir, given.options ?? ''];
  const as =
    given.uid === undefined
      ? []
      : ['setpriv', `--reuid=${given.uid}`, `--regid=${given.uid}`, '--clear-groups'];
  const [command, ...rest] = [...as, ...node, ...args];
  const daemon = startBackground(command!, rest, {
    cwd: root,
    ...(given.env === undefined ? {} : { env: given.env }),
  });
  onCleanup({ run: async () => abortMounts(dir), runSync: () => abortMounts(dir) });
  onStuckProcess(() => abortMounts(dir));
  await waitUntil(
    `mount of ${dir}`,
    () => {
      if (!daemon.running) throw new Error(`ended at once:\n${daemon.log()}`);
      return daemon.log().includes('ready');
    },
    20_000,
  );
  return { dir, process: daemon };
}

export interface End {
  readonly end: string;
  readonly openHandles: number;
}

/** umount(8); what the daemon says of its end. */
export async function unmountDaemon(daemon: Daemon): Promise<End> {
  await run('umount', [daemon.dir], { timeoutMs: 20_000 });
  return lastWords(daemon);
}

/** Waits for its end. */
export async function lastWords(daemon: Daemon): Promise<End> {
  await waitUntil('end of the daemon', () => !daemon.process.running);
  const line = daemon.process.log().trimEnd().split('\n').at(-1) ?? '';
  return JSON.parse(line) as End;
}
