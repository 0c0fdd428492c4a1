/** A process that serves a test file system on a folder of its own (test/support/serve-memory.ts), and how to end it. */
import { mkdirSync } from 'node:fs';
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
  /** Default: a new folder. */
  readonly dir?: string;
}

export interface Daemon {
  readonly dir: string;
  readonly process: Background;
}

const SERVE = fileURLToPath(new URL('../support/serve-memory.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Starts it and waits until it is mounted. A failure carries what it printed. */
export async function startDaemon(given: DaemonOptions): Promise<Daemon> {
  const dir = given.dir ?? join(makeTempDir('davport-fuse-'), 'mnt');
  mkdirSync(dir, { recursive: true });
  const args = [given.kind ?? 'memory', given.bridge, dir, given.options ?? ''];
  const daemon = startBackground(process.execPath, ['--import', 'tsx', SERVE, ...args], {
    cwd: ROOT,
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

/** umount(8); what the daemon says of its end. */
export async function unmountDaemon(daemon: Daemon): Promise<{ end: string; openHandles: number }> {
  await run('umount', [daemon.dir], { timeoutMs: 20_000 });
  await waitUntil('end of the daemon', () => !daemon.process.running);
  return lastWords(daemon);
}

export function lastWords(daemon: Daemon): { end: string; openHandles: number } {
  const line = daemon.process.log().trimEnd().split('\n').at(-1) ?? '';
  return JSON.parse(line) as { end: string; openHandles: number };
}

/** What a mount cannot do, and why: bridge → case → reason. */
export type KnownDefects = Readonly<Record<string, string>>;
