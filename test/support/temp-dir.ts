import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onCleanup } from './cleanup.js';
import { abortMounts, mountsBelow } from './mountinfo.js';
import { run } from './run.js';

/** A folder under the system's temporary folder, removed at the end. Whatever is still mounted in it is unmounted first. */
export function makeTempDir(name = 'davport-test-'): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), name)));
  onCleanup({
    async run() {
      unmountBelow(directory);
      await run('rm', ['-rf', '--one-file-system', directory], { timeoutMs: 60_000 });
    },
    runSync() {
      unmountBelow(directory);
      spawnSync('rm', ['-rf', '--one-file-system', directory], { timeout: 60_000 });
    },
  });
  return directory;
}

function unmountBelow(directory: string): void {
  for (const { mountpoint } of mountsBelow(directory).reverse()) {
    abortMounts(mountpoint);
    spawnSync('umount', ['-l', mountpoint], { timeout: 10_000 });
  }
}
