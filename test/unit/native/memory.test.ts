/** The addon under AddressSanitizer and UndefinedBehaviorSanitizer, and a check that the checker sees what it should. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { run, type RunResult } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { ROOT } from './helpers.js';

let folder = '';
let asan = '';
before(async () => {
  folder = makeTempDir();
  const { stdout } = await run('cc', ['-print-file-name=libasan.so']);
  asan = stdout.trim();
  assert.ok(existsSync(asan), 'libasan.so comes with gcc');
});

interface Checked extends RunResult {
  readonly report: string;
}

/** Runs node with the sanitizer loaded first, as it wants; node itself is not instrumented. */
async function runChecked(name: string, args: readonly string[]): Promise<Checked> {
  const log = join(folder, name);
  const result = await run(process.execPath, args, {
    accept: 'any',
    timeoutMs: 120_000,
    env: {
      LD_PRELOAD: asan,
      ASAN_OPTIONS: `detect_leaks=1:log_path=${log}`,
      // Node leaks a little of its own at exit: what counts is the report, in whose stacks the addon stands or not.
      LSAN_OPTIONS: 'exitcode=0',
      UBSAN_OPTIONS: `print_stacktrace=1:halt_on_error=1:log_path=${log}`,
    },
  });
  const reports = readdirSync(folder).filter((file) => file.startsWith(`${name}.`));
  return {
    ...result,
    report: reports.map((file) => readFileSync(join(folder, file), 'utf8')).join(''),
  };
}

/**
 * The stacks of lost memory that `source` allocated, itself or by one call of Node-API. Deeper ones are the collector's own blocks,
 * which happened to be needed during a call.
 */
function leaksOf(source: string, report: string): string[] {
  return report.split('\n\n').filter((part) => {
    const [title = '', ...frames] = part.trimStart().split('\n');
    return title.includes('leak of') && frames.slice(0, 3).some((frame) => frame.includes(source));
  });
}

test('no wrong access, no undefined behaviour, no leak, also when threads end in mid-traffic', async () => {
  const addon = join(folder, 'davport.asan.node');
  await run(process.execPath, [`${ROOT}native/build.mjs`, '--asan', '--out', addon]);
  const stress = join(import.meta.dirname, 'stress.mjs');
  const { code, stdout, stderr, report } = await runChecked('stress', [
    '--expose-gc',
    ...[stress, addon, '60'],
  ]);
  assert.equal(code, 0, stderr + report);
  assert.equal(stdout, 'stress: done\n');
  assert.doesNotMatch(report, /ERROR: AddressSanitizer|runtime error/);
  assert.deepEqual(leaksOf('native/src/', report), []);
});

const CANARY = `
  #include <node_api.h>
  #include <stdlib.h>
  static napi_value leak(napi_env env, napi_callback_info info) {
    (void)env; (void)info;
    volatile char *lost = malloc(1234);
    lost[0] = 1;
    return NULL;
  }
  static napi_value overrun(napi_env env, napi_callback_info info) {
    (void)env; (void)info;
    volatile char *bytes = malloc(8);
    bytes[8] = 1;
    return NULL;
  }
  NAPI_MODULE_INIT() {
    napi_value leaker, overrunner;
    napi_create_function(env, "leak", NAPI_AUTO_LENGTH, leak, NULL, &leaker);
    napi_create_function(env, "overrun", NAPI_AUTO_LENGTH, overrun, NULL, &overrunner);
    napi_set_named_property(env, exports, "leak", leaker);
    napi_set_named_property(env, exports, "overrun", overrunner);
    return exports;
  }`;

test('the checker does see a leak and an overrun', async () => {
  const source = join(folder, 'canary.c');
  const addon = join(folder, 'canary.node');
  writeFileSync(source, CANARY);
  const headers = createRequire(import.meta.url)('node-api-headers') as { include_dir: string };
  const flags = ['-g', '-std=c11', '-DNAPI_VERSION=8', '-fPIC', '-shared', '-fsanitize=address'];
  await run('cc', [...flags, '-isystem', headers.include_dir, '-o', addon, source]);

  const call = (what: string): string[] => ['-e', `require(process.argv[1]).${what}()`, addon];
  const leaking = await runChecked('leak', call('leak'));
  assert.equal(leaksOf('canary.c', leaking.report).length, 1, leaking.report);
  const overrunning = await runChecked('overrun', call('overrun'));
  assert.match(overrunning.report, /AddressSanitizer: heap-buffer-overflow/);
});
