/** Programs made to find fault with file systems: fio reads back and verifies what it wrote, stress-ng calls everything there is. */
import assert from 'node:assert/strict';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';

const VERIFY = ['--verify=crc32c', '--verify_fatal=1', '--group_reporting', '--thread=0'];
const JOBS: Readonly<Record<string, readonly string[]>> = {
  'in turn': ['--rw=write', '--bs=64k', '--size=16m', '--numjobs=2', '--end_fsync=1'],
  'at random': ['--rw=randwrite', '--bs=4k', '--size=4m', '--numjobs=2', '--fsync=128'],
  'by mapping': ['--rw=randwrite', '--ioengine=mmap', '--bs=4k', '--size=4m', '--numjobs=2'],
};

for (const [how, job] of Object.entries(JOBS)) {
  scenario(
    `fio: written ${how}, and verified`,
    { timeoutMs: 120_000, peers: ['share', 'apache'] },
    async ({ dir, mount, peer }) => {
      const args = ['--name=job', ...job, ...VERIFY];
      const script = 'dir=$1; shift; fio --directory="$dir" "$@"';
      await bash(script, [dir, ...args], { timeoutMs: 100_000 });
      await mount.remount();
      await bash(script, [dir, ...args, '--verify_only'], { timeoutMs: 100_000 });
      await bash('cd "$1" && for f in *; do cmp "$f" "$2/$f"; done', [dir, peer.dir]);
    },
  );
}

/** Of its class "filesystem" those that do something to files in a folder that WebDAV has; each for a moment. */
const STRESSORS = [
  ...[
    'access',
    'chmod',
    'copy-file',
    'dentry',
    'dir',
    'dirdeep',
    'dup',
    'fallocate',
    'filename',
    'flock',
  ],
  ...[
    'fstat',
    'getdent',
    'hdd',
    'iomix',
    'link',
    'lockf',
    'open',
    'readahead',
    'rename',
    'revio',
    'seek',
  ],
  ...['sendfile', 'symlink', 'sync-file', 'touch', 'utime', 'xattr'],
];

scenario(
  'stress-ng: its file stressors find no hang',
  { timeoutMs: 180_000, peers: ['share'] },
  async ({ dir, mount }) => {
    const script = 'for s in $2; do stress-ng --temp-path "$1" --"$s" 1 --timeout 1 --quiet; done';
    await bash(script, [dir, STRESSORS.join(' ')], { timeoutMs: 170_000 });
    assert.doesNotMatch(mount.log(), /TypeError|RangeError/);
    await bash('echo fine > "$1/after" && cat "$1/after" && rm -rf "$1"/*', [dir]);
  },
);
