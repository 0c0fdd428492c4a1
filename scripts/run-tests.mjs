/**
 * node scripts/run-tests.mjs [SUITE…] [-- NODE-TEST-OPTION…]
 *
 * Runs the test files of the named suites (folders of test/, or single files), of all suites without a name. Node 20 has
 * no globs for --test, and a shell's ** is not the same everywhere.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, compiledPath } from './compiled.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TEST = path.join(ROOT, 'test');

/** One file that hangs must not hold the whole run. */
const FILE_TIMEOUT_MS = 1_200_000;
/** More than two mounts or servers at once make the timings of a small machine meaningless. */
const CONCURRENCY = 2;

const args = process.argv.slice(2);
const split = args.includes('--') ? args.indexOf('--') : args.length;
const suites = args.slice(0, split);
const extra = args.slice(split + 1);

function testFilesBelow(target) {
  if (!existsSync(target)) return [];
  if (statSync(target).isFile()) return [target];
  return readdirSync(target, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
    .map((file) => path.join(target, file));
}

function filesOf(suite) {
  if (suite === 'unit') {
    return [path.join(TEST, 'architecture.test.ts'), ...testFilesBelow(path.join(TEST, 'unit'))];
  }
  const files = [path.join(TEST, suite), path.resolve(suite)].flatMap(testFilesBelow);
  if (files.length === 0) {
    console.error(`run-tests: no test files for "${suite}"`);
    process.exit(2);
  }
  return files;
}

const files = suites.length > 0 ? suites.flatMap(filesOf) : testFilesBelow(TEST);
compile();
const result = spawnSync(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${CONCURRENCY}`,
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    ...extra,
    ...new Set(files.map(compiledPath)),
  ],
  { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] },
);
if (result.error) throw result.error;
process.exit(result.status ?? 1);
