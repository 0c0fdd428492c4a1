/** For cases: they run in a process that may touch the mount, so plain calls are fine here. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Gets a fresh empty folder. Fails by throwing. */
export type PosixCase = (dir: string) => Promise<void>;
export type PosixCases = Readonly<Record<string, PosixCase>>;

/** Runs Python with `args` in sys.argv[1:]: for system calls that Node has not. Returns what it prints. */
export async function python(program: string, ...args: readonly string[]): Promise<string> {
  const prelude = 'import os, sys, errno, mmap, fcntl, threading, ctypes, struct\n';
  const { stdout } = await execute('/usr/bin/python3', ['-c', prelude + program, ...args], {
    timeout: 20_000,
    maxBuffer: 1 << 26,
  });
  return stdout;
}

export async function failsWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error: NodeJS.ErrnoException) => {
    assert.equal(error.code, code);
    return true;
  });
}

export async function withFile<T>(
  path: string | Buffer,
  flags: string | number,
  work: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(path, flags, 0o644);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Bytes that differ from place to place. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 31 + (at >> 8) * 7 + seed * 13) & 255;
  return bytes;
}

export function assertSameBytes(actual: Buffer, expected: Buffer): void {
  assert.equal(actual.length, expected.length, 'length');
  if (actual.equals(expected)) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.fail(`differs at byte ${at}: ${actual[at]} instead of ${expected[at]}`);
}
