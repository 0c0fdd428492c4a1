/** How many requests an operation costs, counted at the peer. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { bash, python } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { settledRequests } from '../support/settled-requests.js';
import { scenario, type Scene } from '../support/scenario.js';

const peers = ['share', 'apache'] as const;
const FOLDERS = ['a', 'b', 'c', 'd'];

function makeFiles(served: string): void {
  for (const folder of FOLDERS) {
    mkdirSync(`${served}/${folder}`);
    for (let i = 0; i < 50; i++) writeFileSync(`${served}/${folder}/file-${i}`, `content ${i}\n`);
  }
  writeFileSync(`${served}/alone`, 'x');
}

function logged({ peer }: Scene): Promise<readonly string[]> {
  return settledRequests(async () => (await peer.requests())!);
}

async function count(scene: Scene, work: () => Promise<unknown>): Promise<readonly string[]> {
  const before = (await logged(scene)).length;
  // Without a log that grows, zero would mean nothing.
  assert.ok(before > 0);
  await work();
  return (await logged(scene)).slice(before);
}

async function budget(
  scene: Scene,
  most: number,
  what: string,
  work: string | (() => Promise<unknown>),
): Promise<void> {
  const made = await count(scene, typeof work === 'string' ? () => bash(work, [scene.dir]) : work);
  scene.t.diagnostic(`${what}: ${made.length} (${made.join(', ')})`);
  assert.ok(
    made.length <= most,
    `${what}: ${made.length} requests, not ${most}:\n${made.join('\n')}`,
  );
}

const options = {
  timeoutMs: 30_000,
  peers,
  prepare: makeFiles,
  // Long enough that nothing expires between two commands.
  options: ['attr_timeout=10', 'entry_timeout=10'],
};

scenario('requests: stat', options, async (scene) => {
  await bash('stat "$1/"', [scene.dir]);
  await budget(scene, 1, 'cold stat', 'stat "$1/alone"');
  await budget(scene, 0, 'warm stat', 'stat "$1/alone"');
});

scenario('requests: ls -l of a folder', options, async (scene) => {
  await bash('stat "$1/a"', [scene.dir]);
  await budget(scene, 1, 'ls -l', 'ls -l "$1/a"');
  await budget(scene, 0, 'stat of what was listed', 'stat "$1"/a/file-*');
});

scenario('requests: open, read, close of a small file', options, async (scene) => {
  await bash('ls -l "$1/b"', [scene.dir]);
  await budget(scene, 1, 'read', 'cat "$1/b/file-7"');
});

/** A shell's `> file` closes a copy of the descriptor before it writes: another program's way costs what is meant here. */
const CREATE = 'import sys; open(sys.argv[1], "w").write("new")';

scenario('requests: create, write, close of a small file', options, async (scene) => {
  await bash('ls -l "$1/c"', [scene.dir]);
  const most = scene.peer.kind === 'share' ? 1 : 3;
  for (const name of ['new', 'newer']) {
    await budget(scene, most, 'create', () => python(CREATE, [`${scene.dir}/c/${name}`]));
  }
});

scenario('requests: rename', options, async (scene) => {
  await bash('ls -l "$1/d"', [scene.dir]);
  await budget(scene, 1, 'rename', 'mv -T "$1/d/file-1" "$1/d/renamed"');
  await bash('ls -l "$1/d"', [scene.dir]);
  await budget(scene, 1, 'rename over a file', 'mv -fT "$1/d/file-2" "$1/d/file-3"');
});

scenario('requests: mkdir, rmdir', options, async (scene) => {
  await bash('ls -l "$1/a"', [scene.dir]);
  await budget(scene, 1, 'mkdir', 'mkdir "$1/a/new"');
  const most = scene.peer.kind === 'share' ? 1 : 2;
  await budget(scene, most, 'rmdir', 'rmdir "$1/a/new"');
});

const RENAME_ONTO_FOLDER = `
import errno, os, sys
try:
    os.rename(sys.argv[1] + '/new', sys.argv[1] + '/name')
except OSError as error:
    sys.exit(error.errno != errno.EISDIR)
sys.exit('renamed')
`;

scenario(
  'what the cache takes for a file and is a folder by now is not renamed over',
  { ...options, peers: [...peers, 'chezdav', 'spice'] },
  async (scene) => {
    await bash('mkdir "$1/over"; echo new > "$1/over/new"; echo old > "$1/over/name"', [scene.dir]);
    await bash('ls -l "$1/over"', [scene.dir]);
    const theirs = `${scene.peer.dir}/over/name`;
    rmSync(theirs);
    mkdirSync(theirs);
    writeFileSync(`${theirs}/inside`, 'kept');
    await scene.peer.adopt();
    await python(RENAME_ONTO_FOLDER, [`${scene.dir}/over`]);
    assert.equal(readFileSync(`${theirs}/inside`, 'utf8'), 'kept');
    // The ways that are left work.
    await bash('mv "$1/over/new" "$1/over/name/" && cat "$1/over/name/new"', [scene.dir]);
  },
);

scenario(
  'what was read before is read from the disk after a new mount',
  {
    ...options,
    timeoutMs: 60_000,
    prepare: (served) => {
      writeFileSync(`${served}/small`, randomBytes(10_000));
      writeFileSync(`${served}/large`, randomBytes(5_000_000));
      mkdirSync(`${served}/many`);
      for (let i = 0; i < 100; i++) writeFileSync(`${served}/many/${i}`, `content ${i}\n`);
      // Apache doesn't vouch for what is younger than a second.
      const names = ['small', 'large', ...Array.from({ length: 100 }, (_, i) => `many/${i}`)];
      for (const name of names) utimesSync(`${served}/${name}`, 1e9, 1e9);
    },
    options: [`cache_dir=${makeTempDir('davport-cache-')}`, 'cache_size=100M'],
  },
  async (scene) => {
    const { mount } = scene;
    const read = 'cd "$1"; cmp small "$2/small"; cmp large "$2/large"; diff -r many "$2/many"';
    const compare = () => bash(read, [scene.dir, scene.peer.dir]);
    await compare();
    await mount.unmount();
    await mount.remount();
    const again = await count(scene, compare);
    assert.ok(!again.some((line) => /GET|REPORT/.test(line)), again.join('\n'));
    await bash('printf y | dd status=none of="$1"/large bs=1 seek=4000000 conv=notrunc', [
      scene.peer.dir,
    ]);
    await mount.unmount();
    await mount.remount();
    await compare();
  },
);
