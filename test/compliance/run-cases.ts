/**
 * Runs POSIX cases on a folder, in a process of its own (it may hang on the folder; whoever serves it must not):
 *   run-cases.ts DIR [NAME…]
 * Prints one JSON line per case as it ends: { name, ok, error?, ms }.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { POSIX_CASES } from './posix-cases.js';

export interface CaseResult {
  readonly name: string;
  readonly ok: boolean;
  readonly error?: string;
  readonly ms: number;
}

const CASE_TIMEOUT_MS = 120_000;

async function runCase(name: string, dir: string): Promise<CaseResult> {
  const started = performance.now();
  const ms = (): number => Math.round(performance.now() - started);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not done within ${CASE_TIMEOUT_MS} ms`)),
      CASE_TIMEOUT_MS,
    );
  });
  try {
    const run = POSIX_CASES[name];
    if (run === undefined) throw new Error('no such case');
    await mkdir(dir);
    await Promise.race([run(dir), late]);
    return { name, ok: true, ms: ms() };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name, ok: false, error: text, ms: ms() };
  } finally {
    clearTimeout(timer);
    await rm(dir, { recursive: true, force: true }).catch(() => undefined);
  }
}

const [base, ...wanted] = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : Object.keys(POSIX_CASES);
for (const [index, name] of names.entries()) {
  const result = await runCase(name, join(base!, `case-${process.pid}-${index}`));
  console.log(JSON.stringify(result));
}
process.exit(0);
