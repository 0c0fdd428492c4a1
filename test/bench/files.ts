/** The files that the workloads expect. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { bash } from '../support/run.js';

const MIB = 1 << 20;
const BLOCK = 4096;
export const BIG_BYTES = 256 * MIB;
/** What fits into every cache. */
export const CACHED_BYTES = MIB;

/** Blocks of 4 KiB, each of which begins with its number: what is read can be told from what should be. */
function stamped(firstBlock: number, bytes: number): Buffer {
  const data = Buffer.alloc(bytes, 'davport ');
  for (let at = 0; at < bytes; at += BLOCK) {
    data.writeBigUInt64LE(BigInt(firstBlock + at / BLOCK), at);
  }
  return data;
}

function writeLarge(file: string, bytes: number): void {
  const fd = openSync(file, 'w');
  for (let at = 0; at < bytes; at += MIB) writeSync(fd, stamped(at / BLOCK, MIB));
  closeSync(fd);
}

const five = (index: number): string => String(index).padStart(5, '0');

function writeMany(dir: string, count: number, bytes: number): void {
  mkdirSync(dir);
  for (let at = 0; at < count; at++) {
    writeFileSync(`${dir}/f${five(at)}`, stamped(at, BLOCK).subarray(0, bytes));
  }
}

/** Four lines each; one file of each folder has what grep looks for. */
function writeTree(dir: string): void {
  const lines = [0, 1, 2, 3].map(
    (line) => `the quick brown fox jumps over the lazy dog, line ${line}\n`,
  );
  for (let folder = 0; folder < 100; folder++) {
    const path = `${dir}/d${String(folder).padStart(2, '0')}`;
    mkdirSync(path, { recursive: true });
    for (let at = 0; at < 100; at++) {
      const name = `f${String(at).padStart(2, '0')}.txt`;
      writeFileSync(`${path}/${name}`, lines.join('') + (at === 7 ? 'NEEDLE\n' : ''));
    }
  }
}

const REPOSITORY = `mkdir "$1/repo" && cd "$1/repo"
export HOME=/nonexistent GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a
for folder in $(seq 0 39); do
  mkdir s$folder
  for file in $(seq 0 24); do seq -f "export const v%.0f = $folder;" 1 $((file * 10 + 10)) > s$folder/file$file.ts; done
done
git init -q . && git add . && git commit -qm one`;

/** For calls that are about names, or about what is cached. */
export function makeSmallFiles(dir: string): void {
  writeLarge(`${dir}/cached`, CACHED_BYTES);
  writeMany(`${dir}/small`, 1000, BLOCK);
  writeTree(`${dir}/tree`);
}

export async function makeFiles(dir: string): Promise<void> {
  makeSmallFiles(dir);
  writeLarge(`${dir}/big`, BIG_BYTES);
  mkdirSync(`${dir}/parallel`);
  for (let at = 0; at < 4; at++) writeLarge(`${dir}/parallel/p${at}`, BIG_BYTES / 4);
  writeMany(`${dir}/flat`, 10_000, 16);
  await bash(REPOSITORY, [dir]);
  mkdirSync(`${dir}/written`);
  // What is still on its way to the disk would be in the way later.
  await bash('sync -f "$1"', [dir]);
}
