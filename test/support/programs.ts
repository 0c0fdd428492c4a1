/** The Python programs that tests run against a mount. */
import { fileURLToPath } from 'node:url';
import { run, type RunOptions, type RunResult } from './run.js';

const folder = fileURLToPath(new URL('../acceptance/programs/', import.meta.url));

export const programPath = (name: string): string => folder + name;

export function program(
  name: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return run('/usr/bin/python3', [programPath(name), ...args], options);
}
