/** What the fault tests share: a file with whole versions, writers that tell how they ended, and a watch at the server. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { python, type RunResult } from '../support/run.js';

/** Versions differ in every block and in length, so that any mix and any cut shows. */
export function versionOf(number: number): Buffer {
  const block = Buffer.from(`version ${number} `.padEnd(64, String(number % 10)));
  return Buffer.alloc(64 * (8000 + 4001 * (number % 5)), block);
}

const WRITE = `
import os, sys
number, path, how = int(sys.argv[1]), sys.argv[2], sys.argv[3]
block = f'version {number} '.ljust(64, str(number % 10)).encode()
content = block * (8000 + 4001 * (number % 5))
target = path if how == 'over' else path + '.part'
try:
    with open(target, 'wb', buffering=0) as file:
        for at in range(0, len(content), 131072):
            file.write(content[at:at + 131072])
        os.fsync(file.fileno())
    if how == 'rename':
        os.rename(target, path)
except OSError as error:
    sys.exit(f'{error.errno} {error.strerror}')
`;

/** Writes version `number` in a child. Exit code 0 says that every call, fsync and close included, succeeded. */
export function writeVersion(
  number: number,
  file: string,
  how: 'over' | 'rename',
  timeoutMs = 30_000,
): Promise<RunResult> {
  return python(WRITE, [String(number), file, how], { timeoutMs, accept: 'any' });
}

/** Where a writer with 'rename' has the new version before it has its name. */
export const partOf = (file: string): string => `${file}.part`;

/**
 * Which of the versions the file at the server is; fails when it is none of them.
 * `removesBeforeMove`: the server's MOVE removes the target before it renames (mod_dav; 40 µs on average, 2 ms were seen);
 * who looks in between, or after the server died there, must find the new version whole under its former name.
 */
export function identify(
  file: string,
  candidates: readonly number[],
  removesBeforeMove = false,
): number {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    if (!removesBeforeMove || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    content = readFirst([partOf(file), file]);
  }
  const found = candidates.find((number) => content.equals(versionOf(number)));
  const head = content.subarray(0, 40).toString('latin1');
  assert.notEqual(
    found,
    undefined,
    `${content.length} bytes at the server, "${head}…", are none of the versions ${candidates.join(', ')}`,
  );
  return found!;
}

/** The first that is there. */
function readFirst([file, ...others]: string[]): Buffer {
  try {
    return readFileSync(file!);
  } catch (error) {
    if (others.length === 0 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return readFirst(others);
  }
}

/** Looks for `ms` on end: the file is one of the versions at every moment. Gives the last. */
export async function watchVersions(
  file: string,
  candidates: readonly number[],
  ms: number,
  removesBeforeMove = false,
): Promise<number> {
  const end = performance.now() + ms;
  for (;;) {
    const version = identify(file, candidates, removesBeforeMove);
    if (performance.now() > end) return version;
    await delay(20);
  }
}
