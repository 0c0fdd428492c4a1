import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { run } from '../support/run.js';
import { POSIX_CASES } from './posix-cases.js';
import type { CaseResult } from './run-cases.js';

const RUNNER = fileURLToPath(new URL('./run-cases.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * A test per POSIX case, on the folder that `prepare` gives. A case in `defects` must fail (so that the list stays true); its reason
 * is printed.
 */
export function posixSuite(
  what: string,
  prepare: () => Promise<string>,
  defects: Readonly<Record<string, string>> = {},
): void {
  let results: Promise<ReadonlyMap<string, CaseResult>> | undefined;
  const runAll = async (): Promise<ReadonlyMap<string, CaseResult>> => {
    const dir = await prepare();
    const { stdout } = await run(process.execPath, ['--import', 'tsx', RUNNER, dir], {
      cwd: ROOT,
      timeoutMs: 300_000,
    });
    const lines = stdout.trimEnd().split('\n');
    return new Map(lines.map((line) => JSON.parse(line) as CaseResult).map((r) => [r.name, r]));
  };
  for (const name of Object.keys(POSIX_CASES)) {
    test(`${what}: ${name}`, async (context) => {
      results ??= runAll();
      const result = (await results).get(name);
      assert.ok(result !== undefined, 'the run ended before this case');
      const reason = defects[name];
      if (reason === undefined) {
        assert.ok(result.ok, result.error);
      } else {
        context.diagnostic(`known defect: ${reason}`);
        assert.ok(!result.ok, `works by now; take it off the list: ${reason}`);
      }
    });
  }
  test(`${what}: the defects listed are cases`, () => {
    for (const name of Object.keys(defects)) assert.ok(name in POSIX_CASES, name);
  });
}
