/** What the feed of changes of our own share is for: nothing is asked twice, and what changes at the peer is seen at once. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { FEED_IS_OPEN, feedIsOpen } from '../support/feed.js';
import type { Peer } from '../support/peers/index.js';
import { bash, python } from '../support/run.js';
import { scenario, type Scene } from '../support/scenario.js';
import { settledRequests } from '../support/settled-requests.js';
import { waitUntil } from '../support/wait-until.js';

const ENDED = 'the feed of changes has ended';

/** So that nothing but the feed can be why a change is seen. */
const LONG = ['attr_timeout=60', 'entry_timeout=60', 'negative_timeout=60'];

function makeFiles(served: string): void {
  for (const folder of ['sub', 'sub/deep']) mkdirSync(`${served}/${folder}`);
  for (let i = 0; i < 20; i++) writeFileSync(`${served}/sub/file-${i}`, `content ${i}\n`);
}

const options = (...more: string[]) => ({
  timeoutMs: 60_000,
  peers: ['share'] as const,
  prepare: makeFiles,
  options: ['log_level=debug', ...more],
});

/** Makes one change after another at the peer, and says how long each took to be seen, in ms. */
const SEE_CHANGES = `
import os, sys, time
seen, made = sys.argv[1], sys.argv[2]
def exists(path): return os.path.lexists(seen + path)
def wait(what, change, is_seen):
    assert not is_seen(), what + ': before'
    change()
    start = time.monotonic()
    while not is_seen():
        if time.monotonic() - start > 20: sys.exit(what + ': never seen')
        time.sleep(0.001)
    print(f'{what}: {(time.monotonic() - start) * 1000:.0f}')
def write(path, text):
    with open(made + path, 'w') as file: file.write(text)
os.listdir(seen); os.listdir(seen + '/deep')
wait('content', lambda: write('/file-1', 'x' * 1000), lambda: os.stat(seen + '/file-1').st_size == 1000)
wait('new file', lambda: write('/new', ''), lambda: exists('/new'))
wait('removal', lambda: os.unlink(made + '/file-2'), lambda: not exists('/file-2'))
wait('mode', lambda: os.chmod(made + '/file-3', 0o755), lambda: os.stat(seen + '/file-3').st_mode & 0o100)
wait('rename', lambda: os.rename(made + '/file-4', made + '/renamed'), lambda: exists('/renamed') and not exists('/file-4'))
wait('replacement', lambda: (write('/other', 'y' * 77), os.rename(made + '/other', made + '/file-5')),
     lambda: os.stat(seen + '/file-5').st_size == 77)
wait('new folder', lambda: os.mkdir(made + '/folder'), lambda: exists('/folder'))
wait('in a folder', lambda: write('/deep/file', ''), lambda: 'file' in os.listdir(seen + '/deep'))
wait('folder moved', lambda: os.rename(made + '/deep', made + '/elsewhere'), lambda: exists('/elsewhere/file') and not exists('/deep'))
wait('in it then', lambda: write('/elsewhere/more', ''), lambda: 'more' in os.listdir(seen + '/elsewhere'))
wait('time', lambda: os.utime(made + '/file-6', (5, 5)), lambda: os.stat(seen + '/file-6').st_mtime == 5)
before = os.stat(seen).st_mtime_ns
wait('time of the folder', lambda: write('/late', ''), lambda: os.stat(seen).st_mtime_ns != before)`;

scenario(
  'a change at the peer is seen at once, however long answers may be kept',
  options(...LONG),
  async (scene) => {
    await feedIsOpen(scene);
    const { stdout } = await python(SEE_CHANGES, [`${scene.dir}/sub`, `${scene.peer.dir}/sub`]);
    const lines = stdout.trim().split('\n');
    scene.t.diagnostic(`ms: ${lines.join(', ')}`);
    assert.equal(lines.length, 12);
    const ms = lines.map((line) => Number(/: (\d+)$/.exec(line)![1]));
    ms.sort((a, b) => a - b);
    // Answers are kept for a minute; once something may be late on a busy machine.
    assert.ok(ms.at(-2)! < 1000 && ms.at(-1)! < 10_000, stdout);
  },
);

/** Names come and go on both sides, while listings are read whole, in part, and by several at a time. */
const LIST = `
import os, random, sys, time
seen, made, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
random.seed(seed)
def kinds(folder):
    with os.scandir(folder) as entries: return {each.name: each.is_dir() for each in entries}
def change(folder, number):
    names = sorted(kinds(folder))
    kind = random.randrange(5)
    name = random.choice(names) if names else None
    if kind == 0 or name is None: open(f'{folder}/n{number}', 'w').close()
    elif kind == 1: os.mkdir(f'{folder}/n{number}')
    elif kind == 2: os.rename(f'{folder}/{name}', f'{folder}/n{number}')
    elif os.path.isdir(f'{folder}/{name}'): os.rmdir(f'{folder}/{name}')
    else: os.unlink(f'{folder}/{name}')
    if kind == 4 and name: os.mkdir(f'{folder}/{name}')
half = []
for number in range(150):
    where = random.choice([seen, made])
    change(where, number)
    end = time.monotonic() + 10
    while kinds(seen) != kinds(made):
        if time.monotonic() > end: sys.exit(f'step {number}: {kinds(seen)} is not {kinds(made)}')
        if where == seen: sys.exit(f'step {number}: an own change is not in the listing')
        time.sleep(0.001)
    for _ in range(random.randrange(4)): assert kinds(seen) == kinds(made), number
    if random.random() < 0.3:
        half.append(os.scandir(seen))
        next(half[-1], None)
    if len(half) > 2: list(half.pop(0))`;

scenario(
  'every listing has what the peer has, whoever tells it',
  options(...LONG),
  async (scene) => {
    await feedIsOpen(scene);
    // More than one reply of the mount can hold.
    for (let i = 0; i < 300; i++) writeFileSync(`${scene.peer.dir}/sub/${i}-${'x'.repeat(50)}`, '');
    const seed = String(process.env['TEST_SEED'] ?? Date.now() % 1e9);
    scene.t.diagnostic(`TEST_SEED=${seed}`);
    const { stdout } = await python(LIST, [`${scene.dir}/sub`, `${scene.peer.dir}/sub`, seed]);
    assert.equal(stdout, '');
  },
);

/** A while in which nothing is asked, longer than attr_timeout. */
async function idle(ms: number): Promise<void> {
  const start = performance.now();
  await waitUntil('the time', () => performance.now() - start > ms, ms + 5000);
}

async function requestsOf({ peer, dir }: Scene, work: string): Promise<readonly string[]> {
  const before = (await requestsSoFar(peer)).length;
  await bash(work, [dir]);
  return (await requestsSoFar(peer)).slice(before);
}

function requestsSoFar(peer: Peer): Promise<readonly string[]> {
  return settledRequests(async () => (await peer.requests())!);
}

scenario('what was told once is not asked again', options(), async (scene) => {
  await feedIsOpen(scene);
  const look = 'cd "$1/sub" && ls -l . deep && stat . deep file-1 && ! stat absent';
  await bash(look, [scene.dir]);
  // What was asked by another way than it is covered by (a folder by its parent) is asked once more.
  await idle(1500);
  await bash(look, [scene.dir]);
  for (let round = 0; round < 2; round++) {
    await idle(2500);
    assert.deepEqual(await requestsOf(scene, look), []);
  }
  writeFileSync(`${scene.peer.dir}/sub/absent`, 'here');
  await waitUntil('the change', async () => {
    return (await bash('cat "$1/sub/absent" || true', [scene.dir])).stdout === 'here';
  });
});

scenario('own changes are confirmed by the feed, and not asked for', options(), async (scene) => {
  await feedIsOpen(scene);
  await bash('ls -l "$1/sub"', [scene.dir]);
  const make = `
    cd "$1/sub"
    echo one > own && echo two >> own && mv own moved && rm file-1 && chmod 600 file-2
    touch -d '2001-02-03 04:05:06.789 UTC' file-3`;
  await bash(make, [scene.dir]);
  await idle(1500);
  const look = `
    cd "$1/sub"
    test "$(stat -c %s moved)" = 8 && test ! -e own && test ! -e file-1
    test "$(stat -c %a file-2)" = 600 && test "$(stat -c %Y file-3)" = 981173106`;
  const made = await requestsOf(scene, look);
  // The times of folders are asked for: other things than what was told back change them.
  const members = made.filter((request) => !/^PROPFIND \/(sub)?$/.test(request));
  assert.deepEqual(members, []);
});

scenario(
  'without the feed attr_timeout holds, and nothing stale is left',
  options(),
  async (scene) => {
    const { peer, dir, mount } = scene;
    await feedIsOpen(scene);
    const sizes = async (): Promise<string> =>
      (await bash('stat -c %s "$1"/sub/file-* | sort | uniq -c', [dir])).stdout.trim();
    await bash('ls -l "$1/sub"', [dir]);
    await peer.kill();
    await waitUntil('the end of the feed', () => mount.log().includes(ENDED));
    for (let i = 0; i < 20; i++) writeFileSync(`${peer.dir}/sub/file-${i}`, 'changed while away');
    rmSync(`${peer.dir}/sub/deep`, { recursive: true });
    await peer.restart();
    const start = performance.now();
    await waitUntil('the new sizes', async () => (await sizes()) === '20 18');
    scene.t.diagnostic(`after ${Math.round(performance.now() - start)} ms`);
    await waitUntil('the removal', async () => {
      return (await bash('test -e "$1/sub/deep" || echo gone', [dir])).stdout === 'gone\n';
    });
    await waitUntil('the feed again', async () => {
      await bash('stat "$1/sub"', [dir]);
      return mount.log().split(FEED_IS_OPEN).length === 3;
    });
    await idle(1500);
    await bash('ls -l "$1/sub"', [dir]);
    await idle(1500);
    assert.deepEqual(await requestsOf(scene, 'ls -l "$1/sub"'), []);
    assert.equal(statSync(`${peer.dir}/sub/file-1`).size, 18);
  },
);

/**
 * A new version each time, opened so that the kernel holds the folder; beside it names come and go, which it is told of as well. An
 * answer that another program has just got serves an open, too: it may be a moment old.
 */
const OPEN_AND_CHANGE = `
import errno, os, sys, threading, time
seen, made = sys.argv[1], sys.argv[2]
over = threading.Event()
def disturb():
    while not over.is_set():
        for name in ('x', 'y', 'z'):
            open(f'{made}/{name}', 'w').close()
            os.path.lexists(f'{seen}/{name}')
            os.unlink(f'{made}/{name}')
thread = threading.Thread(target=disturb)
thread.start()
made_at = []
try:
    for version in range(100):
        text = f'version {version}'
        with open(made + '/.tmp', 'w') as file: file.write(text)
        os.rename(made + '/.tmp', made + '/file')
        made_at.append(time.monotonic())
        found = None
        while found is None:
            opened = time.monotonic()
            fd = os.open(seen + '/file', os.O_CREAT | os.O_RDWR)
            try:
                found = os.read(fd, 100).decode()
            except OSError as error:
                # The open knew the version before, whose content is gone: for no longer than it may be found.
                if error.errno != errno.ESTALE or opened - made_at[-1] > 1: raise
            finally:
                os.close(fd)
        later = made_at[int(found.split()[1]) + 1:]
        if later and opened - later[0] > 1: sys.exit(f'{found!r} instead of {text!r}')
finally:
    over.set()
    thread.join()`;

scenario(
  'opens that hold a folder are not held up by what the kernel is told of it',
  options(...LONG),
  async (scene) => {
    await feedIsOpen(scene);
    await python(OPEN_AND_CHANGE, [`${scene.dir}/sub`, `${scene.peer.dir}/sub`]);
  },
);

/** Without reading: the kernel may drop pages whenever it likes, and with DAMON does so with what was not used for a second. */
const OPEN_ONLY = 'ls -l "$1/sub" && for file in "$1"/sub/file-*; do : < "$file"; done';

scenario(
  'with -o nocto an open asks nothing while the feed tells',
  options('nocto'),
  async (scene) => {
    await feedIsOpen(scene);
    const read = 'ls -l "$1/sub" && cat "$1"/sub/file-*';
    await bash(read, [scene.dir]);
    await idle(1500);
    await bash(read, [scene.dir]);
    await idle(2500);
    assert.deepEqual(await requestsOf(scene, OPEN_ONLY), []);
    // As long as before: only the line tells.
    writeFileSync(`${scene.peer.dir}/sub/file-1`, 'CHANGED 1\n');
    await waitUntil('the content', async () => {
      return (await bash('cat "$1/sub/file-1"', [scene.dir])).stdout === 'CHANGED 1\n';
    });
  },
);

/**
 * Each change is closed before the open: a reader that trusted what it was told until then would have the former content. What this
 * mount itself did or listed a few milliseconds ago serves an open as well.
 */
const OPEN_AT_ONCE = `
import os, sys, time
seen, made = sys.argv[1], sys.argv[2]
def read(path):
    with open(seen + path) as file: return file.read()
def put(path, text):
    with open(made + '/.tmp', 'w') as file: file.write(text)
    os.rename(made + '/.tmp', made + path)
for round in range(150):
    text = f'{round:04}'
    # What a lookup of the round before has just brought is no part of the opens of this one.
    time.sleep(0.01)
    with open(made + '/file-1', 'w') as file: file.write(text)
    assert read('/file-1') == text, (round, 'written')
    put('/file-2', text)
    assert read('/file-2') == text, (round, 'replaced')
    os.unlink(made + '/file-3')
    try: sys.exit(f'{round}: {read("/file-3")!r} of what was removed')
    except FileNotFoundError: pass
    put('/file-3', text)
    put('/file-4', text)
    time.sleep(0.01)
    with open(seen + '/file-4', 'w') as file: file.write('own')
    with open(made + '/file-4') as file: assert file.read() == 'own', (round, 'own')
    os.rename(made + '/deep', made + '/away')
    put('/in-new', text)
    os.mkdir(made + '/deep')
    os.rename(made + '/in-new', made + '/deep/file')
    assert read('/deep/file') == text, (round, 'another folder')
    os.unlink(made + '/away/file')
    os.rmdir(made + '/away')`;

scenario(
  'with the feed, too, an open sees what the last close at the peer made, at once',
  options(),
  async (scene) => {
    await feedIsOpen(scene);
    await bash('ls -l "$1/sub" && cat "$1"/sub/file-[123]', [scene.dir]);
    writeFileSync(`${scene.peer.dir}/sub/deep/file`, '');
    await python(OPEN_AT_ONCE, [`${scene.dir}/sub`, `${scene.peer.dir}/sub`]);
  },
);

scenario('an open of what is unchanged costs no request', options(), async (scene) => {
  await feedIsOpen(scene);
  const read = 'ls -l "$1/sub" && cat "$1"/sub/file-*';
  for (let round = 0; round < 2; round++) {
    await bash(read, [scene.dir]);
    await idle(1500);
  }
  assert.deepEqual(await requestsOf(scene, OPEN_ONLY), []);
});

/** What others make right before is never made over. */
const MAKE_EXCLUSIVELY = `
import os, sys
seen, made = sys.argv[1], sys.argv[2]
for at in range(40):
    if at in (13, 27):
        open(f'{made}/new-{at}', 'w').close()
    try:
        open(f'{seen}/new-{at}', 'x').close()
        assert at not in (13, 27), f'new-{at} was made twice'
    except FileExistsError:
        assert at in (13, 27), f'new-{at} was not there'
`;

scenario(
  'an exclusive open asks the feed, and what was made right before is there',
  options(),
  async (scene) => {
    await feedIsOpen(scene);
    await bash('ls -l "$1/sub"', [scene.dir]);
    const before = (await requestsSoFar(scene.peer)).length;
    await python(MAKE_EXCLUSIVELY, [`${scene.dir}/sub`, `${scene.peer.dir}/sub`]);
    const made = (await requestsSoFar(scene.peer)).slice(before);
    assert.ok(made.filter((request) => request.startsWith('PUT ')).length >= 38);
    const questions = made.filter((request) => !request.startsWith('PUT '));
    // About those that are there, and what comes of their news.
    assert.ok(questions.length <= 12, questions.join(', '));
  },
);

scenario('with -o strict there is no feed', options('strict'), async ({ dir, mount }) => {
  await bash('ls -l "$1" "$1/sub"', [dir]);
  assert.ok(!mount.log().includes(FEED_IS_OPEN));
});
