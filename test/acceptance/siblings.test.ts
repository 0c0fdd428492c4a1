/** Programs that go through whole folders: what they will open next is there before, and never of another version than at the open. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { feedIsOpen } from '../support/feed.js';
import { bash, python } from '../support/run.js';
import { scenario, type Scene } from '../support/scenario.js';

const FOLDERS = 5;
const FILES = 200;

function makeFiles(served: string): void {
  for (let folder = 0; folder < FOLDERS; folder++) {
    mkdirSync(`${served}/${folder}`);
    for (let i = 0; i < FILES; i++) {
      writeFileSync(
        `${served}/${folder}/file-${i}`,
        `content ${i} of ${folder}\n`.repeat(1 + (i % 50)),
      );
    }
  }
}

const options = (...more: string[]) => ({
  timeoutMs: 120_000,
  peers: ['share'] as const,
  prepare: makeFiles,
  options: more,
});

async function requestsOf({ peer, dir }: Scene, work: string): Promise<readonly string[]> {
  const before = (await peer.requests())!.length;
  assert.ok(before > 0);
  await bash(work, [dir, peer.dir]);
  return (await peer.requests())!.slice(before);
}

for (const more of [[], ['nocto']]) {
  scenario(
    `files that are read one after the other are fetched ahead, many at once ${more.join()}`,
    options('log_level=debug', ...more),
    async (scene) => {
      // Else what comes before it is asked for once more.
      await feedIsOpen(scene);
      await bash('ls "$1"', [scene.dir]);
      const made = await requestsOf(scene, 'cd "$1" && diff -r . "$2"');
      const gets = made.filter((request) => request.startsWith('GET')).length;
      scene.t.diagnostic(`${made.length} requests, ${gets} of them GET`);
      // In each folder the first three by themselves; the others by eight and more.
      assert.ok(gets <= FOLDERS * 3, `${gets} GETs`);
      assert.ok(made.length <= FOLDERS * 20, made.join('\n'));
    },
  );
}

/** A listing of the last few milliseconds serves an open as well: a moment is left after it. */
const CHANGE_BEFORE_OPEN = `
import os, sys, time
seen, made = sys.argv[1], sys.argv[2]
def put(path, text):
    with open(made + '/.tmp', 'w') as file: file.write(text)
    os.rename(made + '/.tmp', made + path)
for folder in map(str, range(5)):
    names = os.listdir(f'{seen}/{folder}')
    # What the listing has just brought is no part of the opens.
    time.sleep(0.01)
    for index, name in enumerate(names):
        path = f'/{folder}/{name}'
        with open(made + path) as file: text = file.read()
        if index % 5 == 2:
            text = text.replace('content', 'CHANGED')
            put(path, text)
        if index % 5 == 4:
            text = text.replace('content', 'Written')
            with open(made + path, 'w') as file: file.write(text)
        with open(seen + path) as file: found = file.read()
        assert found == text, (path, found[:20], text[:20])`;

scenario(
  'what changes right before the open was not read ahead too early',
  options(),
  async (scene) => {
    await python(CHANGE_BEFORE_OPEN, [scene.dir, scene.peer.dir]);
    const reports = (await scene.peer.requests())!.filter((request) =>
      /^REPORT \/\d/.test(request),
    );
    // Else this shows nothing.
    assert.ok(reports.length > FOLDERS, `${reports.length} reports`);
  },
);

scenario('files that are read here and there are not fetched ahead', options(), async (scene) => {
  await bash('ls "$1"/*', [scene.dir]);
  const jump = 'for i in $(seq 0 99); do cat "$1/0/file-$((i * 77 % 200))"; done';
  const made = await requestsOf(scene, jump);
  assert.deepEqual(
    made.filter((request) => request.startsWith('REPORT')),
    [],
  );
});

scenario(
  'a walk asks once for each folder',
  {
    timeoutMs: 60_000,
    peers: ['share', 'apache'],
    prepare: (served) => {
      for (let folder = 0; folder < 100; folder++) {
        mkdirSync(`${served}/${folder}`);
        for (let i = 0; i < 20; i++) writeFileSync(`${served}/${folder}/${i}`, 'x'.repeat(i));
      }
    },
  },
  async (scene) => {
    await bash('ls "$1"', [scene.dir]);
    const made = await requestsOf(scene, 'test $(find "$1" -size -10c -type f | wc -l) = 1000');
    scene.t.diagnostic(`${made.length} requests`);
    assert.ok(made.length <= 110, made.join('\n'));
  },
);
