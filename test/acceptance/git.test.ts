import assert from 'node:assert/strict';
import { join } from 'node:path';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { waitUntil } from '../support/wait-until.js';
import { makeTempDir } from '../support/temp-dir.js';

const env = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_COUNT: '2',
  // At the peer the repository belongs to whom the peer runs as.
  GIT_CONFIG_KEY_0: 'safe.directory',
  GIT_CONFIG_VALUE_0: '*',
  GIT_CONFIG_KEY_1: 'init.defaultBranch',
  GIT_CONFIG_VALUE_1: 'main',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.org',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.org',
};

const MAKE_SOURCE = `
git init -q "$1"; cd "$1"
for commit in 1 2 3; do
  mkdir -p part-$commit
  for i in $(seq 30); do echo "file $i of commit $commit" > part-$commit/file-$i.txt; done
  echo "commit $commit" >> history.txt
  git add . && git commit -q -m "commit $commit"
done`;

const WORK = `
git clone -q "$1" "$2/repo"; cd "$2/repo"
git fsck --full --strict
test -z "$(git status --porcelain)"
mkdir many
# Each file is written and closed once; a shell's redirection closes a copy of the descriptor in between.
seq -f 'new file %g' "$3" | split -l 1 -a 3 -d - many/file-
git add . && git commit -q -m 'many files'
test -z "$(git status --porcelain)"
git gc -q
git fsck --full --strict
test -z "$(git status --porcelain)"`;

/** This peer takes a tenth of a second and more for each of them. */
const filesFor = (kind: string): number => (kind === 'spice' ? 200 : 1000);

scenario(
  'git: clone, fsck, status, a commit of many files, gc',
  { timeoutMs: 720_000 },
  async ({ peer, mount, dir }) => {
    const files = filesFor(peer.kind);
    const source = join(makeTempDir('davport-git-'), 'source');
    await bash(MAKE_SOURCE, [source], { env });
    await bash(WORK, [source, dir, String(files)], { env, timeoutMs: 660_000 });
    await bash('cd "$1/repo" && git fsck --full --strict', [peer.dir], { env });
    await mount.remount();
    const { stdout } = await bash(
      'cd "$1/repo" && git status --porcelain && git log --oneline | wc -l && git ls-files | wc -l',
      [dir],
      { env },
    );
    assert.equal(stdout.replace(/\s+/g, ' ').trim(), `4 ${files + 91}`);
  },
);

scenario(
  'a warm git status makes no request but for what git writes',
  {
    timeoutMs: 120_000,
    peers: ['share'],
    prepare: async (served) => {
      await bash(MAKE_SOURCE, [`${served}/repo`], { env });
    },
  },
  async ({ peer, dir }) => {
    await bash('ls "$1" && git -C "$1/repo" status', [dir], { env });
    const status = async (locks: string): Promise<readonly string[]> => {
      const before = (await peer.requests())!.length;
      assert.ok(before > 0);
      const { stdout } = await bash('git -C "$1/repo" status --porcelain', [dir], {
        env: { ...env, GIT_OPTIONAL_LOCKS: locks },
      });
      assert.equal(stdout, '');
      return (await peer.requests())!.slice(before);
    };
    // Until what was told before the feed was open has been asked once more.
    await waitUntil(
      'a status without requests',
      async () => (await status('0')).length === 0,
      20_000,
      1500,
    );
    assert.deepEqual(await status('0'), []);
    // The lock file, and the times of the folder that it is in.
    for (const request of await status('1')) {
      assert.match(
        request,
        /^((PUT|DELETE|PROPFIND) \/repo\/\.git\/index\.lock|PROPFIND \/repo\/\.git)$/,
      );
    }
  },
);
