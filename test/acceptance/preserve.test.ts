/** Copies to a mount of our own share keep what cp -a, rsync -aH and tar keep: modes, times, symbolic and hard links. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { bash, python } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTempDir } from '../support/temp-dir.js';

/** A tree with all of it, by a seed. */
const MAKE = `
import os, random, sys
random.seed(int(sys.argv[2]))
os.makedirs(sys.argv[1])
os.chdir(sys.argv[1])
folders = ['.']
for i in range(12):
    path = os.path.join(random.choice(folders), f'folder {i}')
    os.mkdir(path)
    folders.append(path)
files = []
for i in range(120):
    path = os.path.join(random.choice(folders), f'file-{i}')
    kind = random.random()
    if kind < 0.2 and files:
        os.link(random.choice(files), path)
    elif kind < 0.3:
        os.symlink(random.choice(['file-1', '../nowhere', '/etc/passwd', 'folder 1', 'ä' * 40]), path)
        if random.random() < 0.5: os.link(path, path + '.link', follow_symlinks=False)
    else:
        with open(path, 'wb') as file: file.write(random.randbytes(random.choice([0, 1, 900, 70000])))
        files.append(path)
for path in files: os.chmod(path, random.choice([0o644, 0o755, 0o600, 0o444, 0o777, 0o640, 0]))
everything = [os.path.join(f, n) for f, ds, ns in os.walk('.', topdown=False) for n in ds + ns]
for path in everything:
    at, mt = (random.randrange(-10**17, 17 * 10**17) for _ in range(2))
    os.utime(path, ns=(at, mt), follow_symlinks=False)
for path in folders[1:4]: os.chmod(path, 0o1777)
for path in folders[1:]: os.utime(path, ns=(10**18, 10**18 + 123456789))
`;

/** One line per name; the names of one file are told by the first of them. */
const LOOK = `
import os, stat, sys
os.chdir(sys.argv[1])
keep_atime = sys.argv[2] == 'atime'
first = {}
for folder, folders, files in sorted(os.walk('.')):
    for name in sorted(folders + files):
        path = os.path.join(folder, name)
        s = os.lstat(path)
        same = '' if stat.S_ISDIR(s.st_mode) else first.setdefault(s.st_ino, path)
        nlink = 0 if stat.S_ISDIR(s.st_mode) else s.st_nlink
        size = s.st_size if stat.S_ISREG(s.st_mode) else 0
        target = os.readlink(path) if stat.S_ISLNK(s.st_mode) else ''
        atime = s.st_atime_ns if keep_atime and stat.S_ISREG(s.st_mode) else ''
        print(path, oct(s.st_mode), size, s.st_mtime_ns, atime, nlink, same, target, sep='|')
`;

interface Way {
  readonly atime: boolean;
  /** $1: the tree, $2: where its copy is to be. */
  readonly copy: string;
}

const WAYS: Readonly<Record<string, Way>> = {
  'cp -a': { atime: true, copy: 'cp -a "$1" "$2"' },
  'rsync -aH': { atime: false, copy: 'rsync -aH "$1/" "$2/"' },
  tar: {
    atime: false,
    copy: 'mkdir "$2"; tar -C "$1" --format=posix -cf - . | tar -C "$2" -xpf -',
  },
};

for (const [name, { atime, copy }] of Object.entries(WAYS)) {
  scenario(
    `${name} keeps modes, times, symbolic and hard links`,
    { timeoutMs: 200_000, peers: ['share'] },
    async ({ t, mount, peer, dir }) => {
      const { seed } = new SeededRandom();
      t.diagnostic(`TEST_SEED=${seed}`);
      const tree = join(makeTempDir('davport-tree-'), 'tree');
      await python(MAKE, [tree, String(seed)]);
      const look = async (at: string): Promise<string[]> => {
        const { stdout } = await python(LOOK, [at, atime ? 'atime' : '']);
        return stdout.trimEnd().split('\n');
      };
      const made = await look(tree);
      await bash(copy, [tree, `${dir}/copy`], { timeoutMs: 120_000 });
      assert.deepEqual(await look(`${dir}/copy`), made, 'on the mount');
      assert.deepEqual(await look(`${peer.dir}/copy`), made, 'at the peer');
      await mount.remount();
      assert.deepEqual(await look(`${dir}/copy`), made, 'after a new mount');
      const { stdout } = await bash(
        'diff -r --no-dereference "$1" "$2/copy"; rsync -aHn --delete --itemize-changes "$1/" "$2/copy/"',
        [tree, dir],
      );
      assert.equal(stdout, '');
    },
  );
}

scenario(
  'cp -al and rsync --link-dest make hard links, git clone --local takes objects by them',
  { timeoutMs: 200_000, peers: ['share'] },
  async ({ mount, peer, dir }) => {
    const script = `
      cd "$1"
      mkdir source && for i in $(seq 20); do echo $i > source/$i; done
      cp -al source linked
      test $(stat -c %h source/7) = 2 && test source/7 -ef linked/7
      rsync -aH --link-dest=../source source/ backup/
      test $(stat -c %h backup/7) = 3 && test source/7 -ef backup/7
      cp --remove-destination /dev/null linked/7
      test $(stat -c %h backup/7) = 2 && grep -q 7 source/7
      git init -q repo && cd repo
      git config user.name Test && git config user.email test@example.org
      cp -r ../source . && git add . && git commit -q -m first && git repack -q -a -d
      git clone -q --local . ../clone && cd ../clone && git fsck --full --strict && test -z "$(git status --porcelain)"
      test $(stat -c %h .git/objects/pack/*.pack) = 2`;
    const env = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
    await bash(script, [dir], { env, timeoutMs: 120_000 });
    await mount.remount();
    for (const at of [dir, peer.dir]) {
      const { stdout } = await bash(
        'cd "$1" && stat -c "%n %h" source/7 source/8 linked/7 linked/8 backup/8 && git -C clone -c safe.directory="*" fsck --full',
        [at],
        { env },
      );
      assert.equal(stdout, 'source/7 2\nsource/8 3\nlinked/7 1\nlinked/8 3\nbackup/8 3\n');
    }
  },
);
