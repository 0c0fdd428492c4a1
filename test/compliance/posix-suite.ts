import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { run } from '../support/run.js';
import { POSIX_CASES } from './posix-cases.js';
import type { CaseResult } from './run-cases.js';

const RUNNER = fileURLToPath(new URL('./run-cases.js', import.meta.url));

/** A case that is known to fail. */
export interface Defect {
  readonly reason: string;
  /** It depends on a race. */
  readonly sometimes?: true;
}
export type Defects = Readonly<Record<string, Defect>>;

/**
 * A test per POSIX case, on the folder that `prepare` gives. A case in `defects` must fail (so that the list stays true); its reason
 * is printed.
 */
export function posixSuite(
  what: string,
  prepare: () => Promise<string>,
  defects: Defects = {},
): void {
  let results: Promise<ReadonlyMap<string, CaseResult>> | undefined;
  const runAll = async (): Promise<ReadonlyMap<string, CaseResult>> => {
    const dir = await prepare();
    const { stdout } = await run(process.execPath, [RUNNER, dir], { timeoutMs: 480_000 });
    const lines = stdout.trimEnd().split('\n');
    return new Map(lines.map((line) => JSON.parse(line) as CaseResult).map((r) => [r.name, r]));
  };
  for (const name of Object.keys(POSIX_CASES)) {
    test(`${what}: ${name}`, async (context) => {
      results ??= runAll();
      const result = (await results).get(name);
      assert.ok(result !== undefined, 'the run ended before this case');
      const defect = defects[name];
      if (defect === undefined) {
        assert.ok(result.ok, result.error);
        return;
      }
      context.diagnostic(`known defect: ${defect.reason}`);
      const stillThere = !result.ok || defect.sometimes === true;
      assert.ok(stillThere, `works by now; take it off the list: ${defect.reason}`);
    });
  }
  test(`${what}: the defects listed are cases`, () => {
    for (const name of Object.keys(defects)) assert.ok(name in POSIX_CASES, name);
  });
}
