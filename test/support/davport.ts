/** The program as a user has it: `bin/davport`, which runs what `npm run build` made. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startBackground, type Background, type BackgroundOptions } from './background.js';
import { run, type RunOptions, type RunResult } from './run.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
export const DAVPORT = `${root}bin/davport`;

export function requireBuild(): void {
  if (!existsSync(`${root}dist/cli`)) throw new Error('not built: npm run build first');
}

/** Runs a davport command to its end, whatever its exit code (default). */
export function davport(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  requireBuild();
  return run(DAVPORT, args, { accept: 'any', timeoutMs: 30_000, ...options });
}

export function startDavport(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  options: BackgroundOptions = {},
): Background {
  requireBuild();
  return startBackground(DAVPORT, args, { ...options, env });
}
