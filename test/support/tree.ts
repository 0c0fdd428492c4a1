/** Source trees for copying, made once per test on a local disk. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from './seeded-random.js';
import { makeTempDir } from './temp-dir.js';

const EPOCH = Date.UTC(2024, 0, 1) / 1000;

/**
 * `files` files spread over `folders` nested folders; sizes 0 to 16 KiB, one in 500 is 1 MiB; times in the past.
 */
export function makeTree(random: SeededRandom, files: number, folders: number): string {
  const root = join(makeTempDir('davport-tree-'), 'tree');
  mkdirSync(root);
  const directories = [root];
  while (directories.length <= folders) {
    // folder-1 and folder-2 are at the top, where tests find them.
    const parent =
      directories[directories.length <= 2 ? 0 : random.between(0, directories.length)]!;
    const directory = join(parent, `folder-${directories.length}`);
    mkdirSync(directory);
    directories.push(directory);
  }
  const noise = random.bytes(1 << 20);
  for (let index = 0; index < files; index++) {
    // The first round puts a file into each folder.
    const at = index < folders ? index + 1 : random.between(0, directories.length);
    const size = index % 500 === 7 ? 1 << 20 : random.between(0, 16 << 10);
    const start = random.between(0, noise.length - size + 1);
    const file = join(directories[at]!, `file-${index}.bin`);
    writeFileSync(file, noise.subarray(start, start + size));
    utimesSync(file, EPOCH + index, EPOCH + index);
  }
  for (const directory of directories) utimesSync(directory, EPOCH, EPOCH);
  return root;
}
