#!/usr/bin/env node
/**
 * Compiles the addon with the C compiler alone: no node-gyp, no Python, no download of headers.
 *
 *     node native/build.mjs [--optional] [--asan] [--werror] [--arch ARCH] [--out FILE]
 *
 * --optional  (npm's install script) no compiler is no error: says what is missing and what works without the addon
 * --asan      with AddressSanitizer and UBSan, into davport-ARCH.asan.node
 * CC          the compiler, for instance aarch64-linux-gnu-gcc together with --arch arm64
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));

const { values: options } = parseArgs({
  options: {
    optional: { type: 'boolean', default: false },
    asan: { type: 'boolean', default: false },
    werror: { type: 'boolean', default: false },
    arch: { type: 'string', default: process.arch },
    out: { type: 'string' },
  },
});

function fail(message) {
  process.stderr.write(`davport: ${message}\n`);
  process.exit(options.optional ? 0 : 1);
}

const withoutAddon =
  'until then, mounting works on x86-64 through the package fuse-native, and virtio ports do not work';

function compilerFlags(include) {
  const sanitizers = ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address,undefined'];
  return [
    ...['-std=c11', '-D_GNU_SOURCE', '-DNAPI_VERSION=8', '-Wall', '-Wextra'],
    ...(options.werror ? ['-Werror'] : []),
    ...(options.asan ? sanitizers : ['-O2']),
    // System headers: their warnings are not ours.
    ...['-isystem', include],
    ...['-fPIC', '-shared', '-fvisibility=hidden', '-Wl,-z,relro'],
  ];
}

function build() {
  if (process.platform !== 'linux') return fail(`the addon is for Linux, not ${process.platform}`);
  const out =
    options.out ??
    join(here, 'build', `davport-${options.arch}${options.asan ? '.asan' : ''}.node`);
  const sources = readdirSync(join(here, 'src'))
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(here, 'src', name));
  const include = createRequire(import.meta.url)('node-api-headers').include_dir;
  const compiler = process.env.CC || 'cc';

  mkdirSync(dirname(out), { recursive: true });
  // Renamed when complete: a running process may have the old file mapped.
  const partial = `${out}.${process.pid}.tmp`;
  const result = spawnSync(
    compiler,
    [...compilerFlags(include), '-o', partial, ...sources, '-lm'],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (result.error) {
    return fail(
      `the addon was not built: no C compiler (${compiler}); on Debian: ` +
        `apt-get install gcc libc6-dev, then: npm rebuild davport; ${withoutAddon}`,
    );
  }
  if (result.status !== 0) {
    rmSync(partial, { force: true });
    return fail(`the addon was not built: ${compiler} failed, see above; ${withoutAddon}`);
  }
  renameSync(partial, out);
}

build();
