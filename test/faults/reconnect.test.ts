/** The peer goes and comes back: the mount goes on without a remount, what was not yet uploaded included. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { test } from 'node:test';
import { onCleanup } from '../support/cleanup.js';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { mountDavport } from '../support/mount.js';
import { startPeer } from '../support/peers/index.js';
import { startRelay } from '../support/relay.js';
import { waitUntil } from '../support/wait-until.js';

/** Writes a file, and closes it only when told to; answers "open", then "closed" or the error. */
const HOLD = `
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
for i in range(40):
    os.write(fd, bytes([65 + i % 26]) * 50000)
print('open', flush=True)
sys.stdin.readline()
try:
    os.close(fd)
    print('closed', flush=True)
except OSError as error:
    print(error.strerror, flush=True)
`;
const HELD = Buffer.concat(
  Array.from({ length: 40 }, (_, i) => Buffer.alloc(50_000, 65 + (i % 26))),
);

function hold(file: string): { child: ChildProcess; lines: Interface } {
  const child = spawn('/usr/bin/python3', ['-c', HOLD, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  const done = onCleanup({ run: async () => kill(), runSync: kill });
  child.once('exit', done);
  return { child, lines: createInterface({ input: child.stdout }) };
}

scenario(
  'a file that is open for writing while the peer is killed and started again is uploaded at close',
  { timeoutMs: 60_000, options: ['timeout=20'] },
  async ({ peer, dir }) => {
    const { child, lines } = hold(`${dir}/held`);
    assert.deepEqual(await once(lines, 'line'), ['open']);
    await peer.kill();
    await peer.restart();
    child.stdin?.end('\n');
    assert.deepEqual(await once(lines, 'line'), ['closed']);
    assert.ok(readFileSync(`${peer.dir}/held`).equals(HELD));
    await bash('cat "$1/held" | wc -c; echo x > "$1/other"', [dir]);
  },
);

scenario(
  'reading goes on over a restart of the peer',
  {
    timeoutMs: 60_000,
    options: ['timeout=20'],
    prepare: (served) => writeFileSync(`${served}/file`, Buffer.alloc(8 << 20, 'r')),
  },
  async ({ peer, dir }) => {
    for (let round = 0; round < 3; round++) {
      await bash('ls "$1"; tr -d r < "$1/file" | wc -c', [dir]);
      await peer.kill();
      const reading = bash('stat "$1/file"; cat "$1/file" | wc -c', [dir]);
      await peer.restart();
      const { stdout } = await reading;
      assert.match(stdout, new RegExp(`\\n${8 << 20}\\n$`));
    }
  },
);

test(
  'the mount works again within a second after the channel is back',
  { timeout: 120_000 },
  async () => {
    const peer = await startPeer('share');
    const relay = await startRelay(peer.channel);
    const mount = await mountDavport({
      channel: relay.channel,
      options: ['timeout=5', 'attr_timeout=0'],
    });
    try {
      writeFileSync(`${peer.dir}/file`, 'x');
      await bash('cat "$1/file"', [mount.dir]);
      const took: number[] = [];
      // A busy machine may be late once; a back-off that is too long is each time.
      for (let attempt = 0; attempt < 3; attempt += 1) {
        await relay.down();
        const { code } = await bash('cat "$1/file"', [mount.dir], { accept: 'any' });
        assert.ok(code === 0 || code === 1);
        await relay.up();
        const started = performance.now();
        await bash('echo y > "$1/back" && cat "$1/file"', [mount.dir]);
        took.push(performance.now() - started);
        if (took.at(-1)! < 1500) break;
      }
      assert.ok(Math.min(...took) < 1500, `${took.join(', ')} ms`);
      await waitUntil('one connection', () => relay.connections === 1);
      await mount.unmount();
    } finally {
      await mount.discard();
      await relay.close();
      await peer.stop();
    }
  },
);
