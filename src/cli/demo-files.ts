/** The temporary folder of the demo: what is put in, and how it is removed. */
import { chmodSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export function writeExampleFiles(folder: string): void {
  const files: Record<string, string> = {
    'hello.txt': 'This file is on the other side of the channel.\n',
    'notes/shopping list.txt': 'milk\nbread\n',
    'notes/grüße.txt': 'Names may hold any character.\n',
    'src/greet.sh': '#!/bin/sh\necho "Hello from the shared folder, ${1:-you}!"\n',
  };
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  chmodSync(path.join(folder, 'src/greet.sh'), 0o755);
}

/**
 * REQUIRES: nothing is mounted below `base`. All the same the mountpoint goes by rmdir, which fails on a mount: what is mounted
 * there may be a folder of the user's, and must not be emptied.
 */
export function removeDemoFolder(base: string): void {
  rmdirSync(path.join(base, 'mounted'));
  rmSync(path.join(base, 'shared'), { recursive: true, force: true });
  rmSync(path.join(base, 'channel.sock'), { force: true });
  rmdirSync(base);
}
