import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';

function makeSpecial(served: string): void {
  mkdirSync(`${served}/mixed`);
  writeFileSync(`${served}/mixed/plain`, 'plain content');
  execFileSync('mkfifo', [`${served}/mixed/fifo`]);
  symlinkSync('nowhere', `${served}/mixed/dangling`);
  symlinkSync('loop', `${served}/mixed/loop`);
}

scenario(
  'a folder with a FIFO and dangling links: nothing hangs',
  { timeoutMs: 60_000, prepare: makeSpecial },
  async ({ dir, peer }) => {
    const limit = { timeoutMs: 10_000, accept: 'any' } as const;
    await bash('ls -la "$1/mixed"', [dir], limit);
    // A FIFO of a local folder waits for its writer, as FIFOs do: there, no reading.
    const read = peer.kind === 'folder' ? ['plain'] : ['fifo', 'dangling', 'loop', 'plain'];
    for (const name of read) {
      await bash('stat "$1"; [ -p "$1" ] || cat "$1"', [`${dir}/mixed/${name}`], limit);
    }
    const { stdout } = await bash('cat "$1/mixed/plain"; find "$1/mixed" -type f', [dir], {
      timeoutMs: 10_000,
    });
    assert.match(stdout, /^plain content.*\/mixed\/plain\n/);
    await bash('echo more > "$1/mixed/other"; cat "$1/mixed/other"', [dir], { timeoutMs: 10_000 });
  },
);
