import assert from 'node:assert/strict';
import { run } from '../support/run.js';

const SUITES = ['basic', 'copymove', 'props', 'locks', 'http'] as const;

/** Runs all suites of litmus; `cwd` is for its logs. */
export async function requireLitmus(url: string, cwd: string): Promise<void> {
  const env = { TESTS: SUITES.join(' ') };
  const { stdout } = await run('litmus', ['-k', url], { cwd, env, timeoutMs: 120_000 });
  const summaries = [...stdout.matchAll(/summary for `(\w+)': of (\d+) tests run: (\d+) passed/g)];
  assert.deepEqual(
    summaries.map(([, suite, total, passed]) => [suite, total === passed]),
    SUITES.map((suite) => [suite, true]),
    stdout,
  );
  // Passed with a reservation.
  assert.doesNotMatch(stdout, /WARNING/, stdout);
}
