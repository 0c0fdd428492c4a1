/** The table of requests in doc/SEMANTICS.md: every row is carried out on every server that it names. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { startCountingProxy } from '../support/counting-proxy.js';
import { mountDavport } from '../support/mount.js';
import { selectedPeers, startPeer, type Peer } from '../support/peers/index.js';
import { bash, python } from '../support/run.js';
import { settledRequests } from '../support/settled-requests.js';
import { makeTempDir } from '../support/temp-dir.js';

const SERVERS = ['share', 'apache', 'chezdav'] as const;

/** By the first cell of the row. `d` is the folder, which was listed before; nothing else was read. */
const OPERATIONS: Readonly<Record<string, string>> = {
  'a new file of 4 KiB': 'open(d + "/new", "wb").write(bytes(4096))',
  'new content for a file (`O_TRUNC`)': 'open(d + "/over", "wb").write(bytes(4096))',
  'a line at the end of a small file': 'open(d + "/append", "ab").write(b"line")',
  'a new file, closed, then a line at its end':
    'open(d + "/log", "wb").write(b"one\\n"); open(d + "/log", "ab").write(b"two\\n")',
  'open, read and close a small file': 'open(d + "/read", "rb").read()',
  rename: 'os.rename(d + "/from", d + "/to")',
  'rename over a file': 'os.rename(d + "/first", d + "/second")',
  unlink: 'os.unlink(d + "/gone")',
  mkdir: 'os.mkdir(d + "/made")',
  rmdir: 'os.rmdir(d + "/empty")',
  chmod: 'os.chmod(d + "/mode", 0o700)',
  utimensat: 'os.utime(d + "/time", (1, 2))',
  'stat, `ls -l`': '[os.stat(d + "/" + name) for name in os.listdir(d)]',
};

const FILES = 'over append read from first second gone mode time'.split(' ');

type Row = readonly [operation: string, ...most: number[]];

function rowsOf(document: string): Row[] {
  const [, section] = document.split('### Requests for an operation');
  assert.ok(section !== undefined, 'no such table');
  const [table] = section.split('\n## ');
  return table!
    .split('\n')
    .filter((line) => /^\|.*\| *\d/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .map(([operation, ...most]) => [operation!, ...most.map(Number)]);
}

const ROWS = rowsOf(readFileSync(new URL('../../doc/SEMANTICS.md', import.meta.url), 'utf8'));

test('every row of the table of requests is an operation', () => {
  assert.deepEqual(ROWS.map(([operation]) => operation).sort(), Object.keys(OPERATIONS).sort());
});

function fill(served: string): void {
  for (let row = 0; row < ROWS.length; row += 1) {
    const folder = `${served}/${row}`;
    mkdirSync(`${folder}/empty`, { recursive: true });
    for (const name of FILES) writeFileSync(`${folder}/${name}`, `content of ${name}\n`);
  }
}

async function countable(
  peer: Peer,
): Promise<{ channel: string; requests: () => Promise<readonly string[]>; close: () => void }> {
  const { channel } = peer;
  if ((await peer.requests()) !== undefined) {
    return { channel, requests: async () => (await peer.requests())!, close: () => undefined };
  }
  const proxy = await startCountingProxy(channel);
  return { channel: proxy.url, requests: async () => proxy.requests, close: () => proxy.close() };
}

for (const [column, kind] of SERVERS.entries()) {
  if (!selectedPeers().includes(kind)) continue;
  test(`no operation needs more requests than the table says [${kind}]`, async (t) => {
    const served = makeTempDir('davport-served-');
    fill(served);
    const peer = await startPeer(kind, served);
    const { channel, requests, close } = await countable(peer);
    const options = ['attr_timeout=60', 'entry_timeout=60'];
    const mount = await mountDavport({ channel, options });
    try {
      // What is asked once for each mount.
      await bash('echo > "$1/first-of-all"', [mount.dir]);
      const over: string[] = [];
      for (const [row, [operation, ...most]] of ROWS.entries()) {
        const folder = `${mount.dir}/${row}`;
        if (!operation.startsWith('stat')) await bash('ls -l "$1"', [folder]);
        const before = (await settledRequests(requests)).length;
        await python(`import os, sys\nd = sys.argv[1]\n${OPERATIONS[operation]!}`, [folder]);
        const made = (await settledRequests(requests)).slice(before);
        const line = `${operation}: ${made.length} of ${most[column]} (${made.join(', ')})`;
        t.diagnostic(line);
        if (made.length > most[column]!) over.push(line);
      }
      assert.deepEqual(over, []);
      await mount.unmount();
    } finally {
      await mount.discard();
      close();
      await peer.stop();
    }
  });
}
