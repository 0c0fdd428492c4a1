import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { run } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { ROOT } from './helpers.js';

const BUILD = `${ROOT}native/build.mjs`;

let folder = '';
before(() => {
  folder = makeTempDir();
});

test('it compiles without a warning', async () => {
  const out = join(folder, 'native.node');
  const { stdout, stderr } = await run(process.execPath, [BUILD, '--werror', '--out', out]);
  assert.equal(stdout + stderr, '');
  assert.ok(existsSync(out));
});

/** The machine field of an ELF header (elf.h): EM_AARCH64. */
const EM_AARCH64 = 183;

test('it compiles for arm64, where there is a cross compiler', async (t) => {
  const compiler = 'aarch64-linux-gnu-gcc';
  const there = await run('/bin/sh', ['-c', `command -v ${compiler}`], { accept: 'any' });
  if (there.code !== 0) {
    t.diagnostic(`no ${compiler} here; on Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross`);
    return;
  }
  const out = join(folder, 'davport-arm64.node');
  await run(process.execPath, [BUILD, '--werror', '--arch', 'arm64', '--out', out], {
    env: { CC: compiler },
  });
  assert.equal(readFileSync(out).readUInt16LE(18), EM_AARCH64);
});

test('the declarations of libuv agree with uv.h, where that is installed', async (t) => {
  const include = [
    '/usr/include/node',
    '/usr/include',
    join(process.execPath, '../../include/node'),
  ];
  const found = include.find((candidate) => existsSync(join(candidate, 'uv.h')));
  if (found === undefined) {
    t.diagnostic('no uv.h here');
    return;
  }
  const source = join(folder, 'compare.c');
  writeFileSync(
    source,
    `#include <uv.h>
     #include "${ROOT}native/src/uv-abi.h"
     _Static_assert((int)DAVPORT_UV_POLL == (int)UV_POLL, "handle type");
     _Static_assert((int)DAVPORT_UV_READABLE == (int)UV_READABLE, "readable");
     _Static_assert((int)DAVPORT_UV_WRITABLE == (int)UV_WRITABLE, "writable");
     `,
  );
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-fsyntax-only'];
  await run('cc', [...flags, '-isystem', found, source]);
});

test('without a compiler: one line that says what to install, and no failure of the installation', async () => {
  const out = join(folder, 'absent.node');
  const options = { env: { CC: 'no-such-compiler' }, accept: 'any' } as const;
  const optional = await run(process.execPath, [BUILD, '--optional', '--out', out], options);
  assert.equal(optional.code, 0);
  assert.match(optional.stderr, /^davport: .*apt-get install gcc libc6-dev.*fuse-native.*\n$/);
  const wanted = await run(process.execPath, [BUILD, '--out', out], options);
  assert.equal(wanted.code, 1);
  assert.ok(!existsSync(out));
});

test('a compiler that fails leaves nothing behind', async () => {
  const out = join(folder, 'broken.node');
  const { code, stderr } = await run(process.execPath, [BUILD, '--out', out], {
    env: { CC: '/bin/false' },
    accept: 'any',
  });
  assert.equal(code, 1);
  assert.match(stderr, /\/bin\/false failed/);
  assert.ok(!existsSync(out));
});
