/**
 * Tests and benchmarks run compiled, in .compiled/: hundreds of processes that each compile what they load took as long as the tests.
 *
 * node scripts/compiled.mjs FILE [ARGUMENT…]     compiles, and runs it
 */
import { spawnSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = path.join(ROOT, '.compiled');

/** What src/ and test/ reach by paths relative to theirs. */
const REACHED = ['README.md', 'bin', 'dist', 'doc', 'native', 'node_modules', 'package.json'];

/** Of a file of src/ or test/. */
export function compiledPath(file) {
  return path.join(OUT, path.relative(ROOT, path.resolve(file)).replace(/\.ts$/, '.js'));
}

/** Checks the types as well. Ends the process where there are errors. */
export function compile() {
  mkdirSync(OUT, { recursive: true });
  for (const name of REACHED) {
    const link = path.join(OUT, name);
    // Also where it leads nowhere yet: before a build.
    if (!lstatSync(link, { throwIfNoEntry: false })) symlinkSync(path.join('..', name), link);
  }
  const { status } = run(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json']);
  if (status !== 0) process.exit(1);
  const filter = (source) => !source.endsWith('.ts');
  cpSync(path.join(ROOT, 'test'), path.join(OUT, 'test'), { recursive: true, filter });
}

export function run(args) {
  return spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  compile();
  process.exit(run([compiledPath(file), ...args]).status ?? 1);
}
