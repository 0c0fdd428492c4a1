import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContentReader } from '../../../../src/vfs/content.js';

export const never = new AbortController().signal;

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'davport-data-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  t.after(remove);
  // A spool file that is just being opened when its reader is closed may make the folder anew.
  process.setMaxListeners(0);
  process.once('exit', remove);
  return folder;
}

/** A file system of `bytes`, for this test. */
export function smallFileSystem(t: TestContext, bytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'davport-small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', folder]);
  t.after(() => {
    execFileSync('umount', ['-l', folder]);
    rmdirSync(folder);
  });
  return folder;
}

export const withoutRoot =
  process.getuid?.() === 0 ? false : 'mounting a small file system needs root';

/** Deterministic bytes: the 32-bit word at each multiple of 4 tells its own offset and the version. */
export function pattern(version: number): (offset: number, length: number) => Buffer {
  return (offset, length) => {
    const first = Math.floor(offset / 4);
    const words = new Uint32Array(Math.ceil((offset + length) / 4) - first);
    for (let i = 0; i < words.length; i += 1) words[i] = Math.imul(first + i, 0x9e3779b1) ^ version;
    return Buffer.from(words.buffer).subarray(offset % 4, (offset % 4) + length);
  };
}

export async function readAll(
  reader: ContentReader,
  offset: number,
  length: number,
  signal: AbortSignal = never,
): Promise<Buffer> {
  return Buffer.concat(await reader.read(offset, length, { signal }));
}

const LOOK_MS = 5;

export async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  // Looks, not time: after a pause of the machine the others have to get on as well.
  for (let looks = limitMs / LOOK_MS; !condition(); looks -= 1) {
    if (looks <= 0) throw new Error('condition not met in time');
    await sleep(LOOK_MS);
  }
}

/** mulberry32; the seed is printed so that a failure can be repeated. */
export function seededRandom(t: TestContext): (limit: number) => number {
  let state = Number(process.env['SEED'] ?? Date.now() % 0xffffffff);
  t.diagnostic(`SEED=${state}`);
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % limit;
  };
}

export const KiB = 1024;
export const MiB = 1024 * KiB;
