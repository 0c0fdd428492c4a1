import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import {
  findRuntimeState,
  isRunning,
  processStart,
  readOutcome,
  RuntimeStateFile,
  runtimeFolders,
} from '../../../src/cli/runtime-state.js';

const uid = process.getuid?.() ?? 0;
const base = mkdtempSync(path.join(os.tmpdir(), 'davport-runtime-'));
after(() => rmSync(base, { recursive: true }));
const env = { XDG_RUNTIME_DIR: base };
const mountpoint = path.join(base, 'mounted here');

function start(): RuntimeStateFile {
  return new RuntimeStateFile(env, {
    mountpoint,
    source: 'unix:/x',
    phase: 'starting',
    message: 'a',
  });
}

test('what a mount says is found by its mountpoint while it runs', () => {
  const file = start();
  const found = findRuntimeState(env, mountpoint, uid);
  assert.ok(found);
  assert.equal(found.pid, process.pid);
  assert.equal(found.message, 'a');
  assert.ok(isRunning(found));
  file.update({ message: 'b', phase: 'stopping' });
  assert.equal(readOutcome(found)?.message, 'b');
  assert.equal(findRuntimeState(env, `${mountpoint}2`, uid), undefined);
  file.remove();
  assert.equal(findRuntimeState(env, mountpoint, uid), undefined);
  assert.equal(readOutcome(found), undefined);
});

test('a pid that was given to another process is nobody', () => {
  assert.equal(
    isRunning({ pid: process.pid, started: '1' } as Parameters<typeof isRunning>[0]),
    false,
  );
  assert.equal(processStart(2 ** 30), undefined);
});

test('rubbish in the file is no state', () => {
  const file = start();
  const found = findRuntimeState(env, mountpoint, uid);
  assert.ok(found);
  for (const rubbish of ['', '{', '[]', 'null', '{"pid":0}', '{"pid":"1","started":""}']) {
    writeFileSync(found.file, rubbish);
    assert.equal(findRuntimeState(env, mountpoint, uid), undefined, rubbish);
  }
  rmSync(found.file);
  file.remove();
});

test('no drafts are left behind, and the folders of others are not used', () => {
  const folder = runtimeFolders(env, uid)[0]!;
  const before = readdirSync(folder).length;
  start().remove();
  assert.equal(readdirSync(folder).length, before);
  assert.ok(!runtimeFolders(env, uid + 1).some((other) => other.startsWith(base)));
});
