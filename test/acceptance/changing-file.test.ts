import assert from 'node:assert/strict';
import { renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { programPath } from '../support/programs.js';
import { onCleanup } from '../support/cleanup.js';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';

const SIZE = 48 << 20;
const version = (letter: string, size = SIZE): Buffer => Buffer.alloc(size, letter);

function makeOld(served: string): void {
  writeFileSync(`${served}/file`, version('A'));
  utimesSync(`${served}/file`, 1_700_000_000, 1_700_000_000);
}

/** Starts a reader that stops after its first block; `finish` lets it read on and gives its verdict. */
async function startReader(file: string): Promise<{ finish(): Promise<string> }> {
  const child = spawn('/usr/bin/python3', [programPath('slow_reader.py'), file]);
  const kill = (): void => void child.kill('SIGKILL');
  const done = onCleanup({ run: async () => kill(), runSync: kill });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  assert.deepEqual(await once(lines, 'line'), ['reading']);
  return {
    async finish() {
      const line = once(lines, 'line');
      child.stdin.end('\n');
      const [verdict] = (await line) as [string];
      // Until then the file is open, and the mount busy.
      await ended;
      done();
      return verdict;
    },
  };
}

const replacements: Readonly<Record<string, (file: string) => void>> = {
  'replaced by one of the same size': (file) => {
    writeFileSync(`${file}.new`, version('B'));
    renameSync(`${file}.new`, file);
  },
  'replaced by a shorter one': (file) => {
    writeFileSync(`${file}.new`, version('B', SIZE / 3));
    renameSync(`${file}.new`, file);
  },
};

for (const [how, replace] of Object.entries(replacements)) {
  scenario(
    `a file that is ${how} at the peer while it is read: one version or ESTALE`,
    { timeoutMs: 60_000, prepare: makeOld },
    async ({ t, peer, dir }) => {
      const reader = await startReader(`${dir}/file`);
      replace(`${peer.dir}/file`);
      await peer.adopt();
      const verdict = await reader.finish();
      t.diagnostic(verdict);
      assert.ok(verdict === `A ${SIZE}` || verdict === 'ESTALE', verdict);
      // A new open sees the new version, at the latest when attributes expire.
      const { size } = statSync(`${peer.dir}/file`);
      const fresh = `for i in $(seq 100); do [ "$(stat -c %s:%Y "$1")" = "$2" ] && break; sleep 0.05; done
        tr -d B < "$1" | wc -c; wc -c < "$1"`;
      const mtime = Math.floor(statSync(`${peer.dir}/file`).mtimeMs / 1000);
      const { stdout } = await bash(fresh, [`${dir}/file`, `${size}:${mtime}`]);
      assert.equal(stdout, `0\n${size}\n`);
    },
  );
}
