/** `davport search` on real mounts. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { davport, DAVPORT } from '../support/davport.js';
import { mountDavport, type Mount } from '../support/mount.js';
import { startApache } from '../support/peers/apache.js';
import { startShare } from '../support/peers/share.js';
import type { Peer } from '../support/peers/types.js';
import { bash, type RunResult } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

let peer: Peer;
let mount: Mount;

before(async () => {
  const dir = makeTempDir('davport-search-');
  mkdirSync(join(dir, 'src', 'deep'), { recursive: true });
  writeFileSync(join(dir, 'src', 'main.c'), 'int main(void) { return FIXME; }\n');
  writeFileSync(join(dir, 'src', 'deep', 'Main.h'), '');
  writeFileSync(join(dir, 'src', 'old.c'), 'x'.repeat(3000));
  utimesSync(join(dir, 'src', 'old.c'), 1_000_000_000, 1_000_000_000);
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from('b\xffd\n.txt', 'latin1')]), '');
  writeFileSync(join(dir, '100% "sure".txt'), '');
  symlinkSync('src/main.c', join(dir, 'link'));
  peer = await startShare(dir);
  mount = await mountDavport({ channel: peer.channel });
});

after(async () => {
  await mount.discard();
  await peer.stop();
});

async function search(query: string, ...options: string[]): Promise<RunResult> {
  return await davport(['search', ...options, mount.dir, '--', query]);
}

async function paths(query: string, ...options: string[]): Promise<string[]> {
  const result = await search(query, ...options);
  assert.equal(result.code, 0, result.stderr);
  const lines = result.stdout.split('\n').slice(0, -1);
  return lines.map((line) => line.replace(mount.dir, '')).sort();
}

test('paths below the mountpoint are printed', async () => {
  assert.deepEqual(await paths('main'), ['/src/deep/Main.h', '/src/main.c']);
  assert.deepEqual(await paths('*.c size:>1k modified:>1y'), ['/src/old.c']);
  assert.deepEqual(await paths('content:fixme'), ['/src/main.c']);
  assert.deepEqual(await paths('type:dir'), ['/src', '/src/deep']);
  assert.deepEqual(await paths('type:link'), ['/link']);
  assert.deepEqual(await paths('in:src/deep type:file'), ['/src/deep/Main.h']);
  assert.deepEqual(
    await paths('-type:dir -*.c -main'),
    ['/100% "sure".txt', '/b\ufffdd', '.txt', '/link'].sort(),
  );
  assert.deepEqual(await paths('"100% \\"S"'), ['/100% "sure".txt']);
  assert.deepEqual(await paths('nothing'), []);
  const below = await davport(['search', `${mount.dir}/src/`, '*.h']);
  assert.equal(below.stdout, `${mount.dir}/src/deep/Main.h\n`);
});

test('--json, -0 and --limit', async () => {
  const { stdout } = await search('old.c', '--json');
  assert.deepEqual(JSON.parse(stdout), {
    path: `${mount.dir}/src/old.c`,
    type: 'file',
    size: 3000,
    modified: '2001-09-09T01:46:40Z',
    created: (JSON.parse(stdout) as { created: string }).created,
  });
  // Every name comes out as it is on the disk: each path is looked at.
  const script = `"$1" search -0 "$2" -- '-type:dir' | xargs -0 stat -c %s`;
  const sizes = (await bash(script, [DAVPORT, mount.dir])).stdout.trim().split('\n');
  assert.deepEqual(
    sizes.map(Number).sort((a, b) => a - b),
    [0, 0, 0, 10, 33, 3000],
  );
  const limited = await search('-type:dir', '--limit', '2');
  assert.equal(limited.stdout.trimEnd().split('\n').length >= 2, true);
  assert.match(limited.stderr, /there is more/);
  assert.equal((await search('*.c', '--limit', '2')).stderr, '');
});

test('a reader that has seen enough ends the search', async () => {
  const script = `"$1" search "$2" main | head -n 1`;
  const { stdout } = await bash(script, [DAVPORT, mount.dir]);
  assert.equal(stdout.trimEnd().split('\n').length, 1);
});

test('what makes no sense, and what is not there', async () => {
  for (const [args, code, says] of [
    [[mount.dir, 'siez:1'], 2, /did you mean size/],
    [['/', 'x'], 2, /is on no davport mount/],
    [[mount.dir], 2, /too few arguments/],
    [[mount.dir, 'x', '--limit', '0'], 2, /--limit 100/],
    [[mount.dir, 'x', '--json', '-0'], 2, /exclude/],
    [[mount.dir, 'in:nowhere x'], 1, /no such folder: \/nowhere/],
    [[mount.dir, `content:${'x'.repeat(300)}`], 1, /refuses this query/],
  ] as const) {
    const result = await davport(['search', ...args]);
    assert.deepEqual([result.code, says.test(result.stderr)], [code, true], result.stderr);
    assert.equal(result.stderr.trimEnd().split('\n').length, 1);
  }
});

test('the names come from the server: nothing is listed or fetched for it', async () => {
  const seen = async (mark: string): Promise<number> => {
    await bash('echo x > "$1"', [join(mount.dir, mark)]);
    return await waitUntil(`${mark} in the log`, async () => {
      const requests = (await peer.requests()) ?? [];
      return requests.findLastIndex((line) => line.endsWith(mark)) + 1;
    });
  };
  const from = await seen('mark-1');
  await search('content:fixme');
  const until = await seen('mark-2');
  const made = (await peer.requests())!.slice(from, until);
  assert.equal(made.filter((line) => line.startsWith('SEARCH ')).length, 1);
  assert.deepEqual(
    made.filter((line) => line.includes('/src')),
    [],
  );
});

test('a search may last longer than the silence that a mount bears', async () => {
  const dir = makeTempDir('davport-search-');
  // Sparse: long to look through, and without any room.
  for (let at = 0; at < 24; at++) {
    writeFileSync(join(dir, `big-${at}`), '');
    truncateSync(join(dir, `big-${at}`), 64 * 1024 * 1024);
  }
  const slow = await startShare(dir);
  const impatient = await mountDavport({ channel: slow.channel, options: ['timeout=2'] });
  try {
    const result = await davport(['search', impatient.dir, 'content:needle'], {
      timeoutMs: 120_000,
    });
    assert.deepEqual([result.code, result.stdout, result.stderr], [0, '', '']);
  } finally {
    await impatient.discard();
    await slow.stop();
  }
});

test('after the end of the mount there is nobody to ask', async () => {
  await mount.unmount();
  const gone = await search('main');
  assert.deepEqual([gone.code, /is on no davport mount/.test(gone.stderr)], [2, true]);
  await mount.remount();
  assert.deepEqual(await paths('*.h'), ['/src/deep/Main.h']);
  await mount.kill9();
  const dead = await search('main');
  assert.deepEqual([dead.code, /no davport mount/.test(dead.stderr)], [2, true]);
  await mount.remount();
  assert.deepEqual(await paths('*.h'), ['/src/deep/Main.h']);
});

test('a server without SEARCH is named, with what to use instead', async () => {
  const apache = await startApache(makeTempDir('davport-search-'));
  const other = await mountDavport({ channel: apache.channel });
  try {
    const result = await davport(['search', other.dir, 'x']);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /has no SEARCH; look yourself: find .* -iname/);
  } finally {
    await other.discard();
    await apache.stop();
  }
});
