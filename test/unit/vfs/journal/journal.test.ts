/** What the journal says is stored is there after whatever happens to its files, and nothing else ever is. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLogger, silentLogger } from '../../../../src/log.js';
import type { StagingSnapshot } from '../../../../src/vfs/content.js';
import type { Intent } from '../../../../src/vfs/journal/frame.js';
import { Journal, type JournalEntry } from '../../../../src/vfs/journal/journal.js';
import {
  KiB,
  MiB,
  pattern,
  smallFileSystem,
  temporaryFolder,
  until,
  withoutRoot,
} from '../data/helpers.js';

function snapshotOf(bytes: Buffer): StagingSnapshot {
  return {
    size: bytes.length,
    generation: 1,
    async *open() {
      for (let at = 0; at < bytes.length; at += 64 * KiB) yield bytes.subarray(at, at + 64 * KiB);
    },
    read: (offset, length) => bytes.subarray(offset, offset + length),
    release: () => undefined,
  };
}

function intentFor(path: string): Intent {
  return {
    path,
    expect: { size: 7, etag: '"v1"', mtime: { sec: -5, nsec: 999_999_999 } },
    exclusive: true,
    posix: { mode: 0o100644, mtime: { sec: 1, nsec: 2 } },
    mtime: { sec: 3, nsec: 4 },
    removing: false,
  };
}

async function contentOf(journal: Journal, entry: JournalEntry): Promise<Buffer> {
  return journal.read(entry, 0, entry.size + 1);
}

/** Path → content of what is live. */
async function contentsIn(folder: string, log = silentLogger): Promise<Map<string, string>> {
  const journal = await Journal.open(folder, log);
  const found = new Map<string, string>();
  for (const entry of journal.entries) {
    found.set(entry.intent.path, (await contentOf(journal, entry)).toString('latin1'));
  }
  await journal.close();
  return found;
}

function copyOf(t: TestContext, folder: string): string {
  const copy = temporaryFolder(t);
  cpSync(folder, copy, { recursive: true });
  return copy;
}

/** A frame of these tests does not end with a zero. */
const endOfFrames = (segment: string): number =>
  readFileSync(segment).findLastIndex((byte) => byte !== 0) + 1;

/** What is not needed goes meanwhile. */
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

test('contents, small and large, come back with all that was said of them', async (t) => {
  const folder = temporaryFolder(t);
  const journal = await Journal.open(folder, silentLogger);
  const contents = [0, 1, 100, 256 * KiB, 256 * KiB + 1, 3 * MiB].map((size) =>
    pattern(size)(0, size),
  );
  const names = contents.map((_, i) => `/dir/\udce4 file ${i}`);
  await Promise.all(
    contents.map((bytes, i) => journal.add(intentFor(names[i]!), snapshotOf(bytes))),
  );
  // No good end.
  const again = await Journal.open(copyOf(t, folder), silentLogger);
  const entries = [...again.entries];
  assert.deepEqual(
    entries.map((entry) => entry.intent),
    names.map(intentFor),
  );
  for (const [i, entry] of entries.entries()) {
    assert.deepEqual(await contentOf(again, entry), contents[i]);
  }
  assert.equal(
    again.bytes,
    contents.reduce((sum, { length }) => sum + length, 0),
  );
  await journal.close();
  await again.close();
});

test('a journal that is cut anywhere has what was stored before the cut, in order', async (t) => {
  const folder = temporaryFolder(t);
  const journal = await Journal.open(folder, silentLogger);
  const segment = join(folder, '00000001.log');
  /** What must be there when the segment has so many bytes. */
  const states: { bytes: number; contents: Map<string, string> }[] = [
    { bytes: 0, contents: new Map() },
  ];
  const note = async (change: (contents: Map<string, string>) => void): Promise<void> => {
    await journal.settle();
    const contents = new Map(states.at(-1)!.contents);
    change(contents);
    states.push({ bytes: endOfFrames(segment), contents });
  };
  const first = await journal.add(intentFor('/a'), snapshotOf(Buffer.from('first')));
  await note((contents) => contents.set('/a', 'first'));
  await journal.add(intentFor('/b'), snapshotOf(Buffer.from('second, longer')));
  await note((contents) => contents.set('/b', 'second, longer'));
  await journal.change(first, { path: '/c' });
  await note((contents) => {
    contents.delete('/a');
    contents.set('/c', 'first');
  });
  journal.remove(first);
  await note((contents) => contents.delete('/c'));
  await journal.close();
  const whole = readFileSync(segment);
  for (let length = 0; length <= whole.length; length += 1) {
    const cut = temporaryFolder(t);
    writeFileSync(join(cut, '00000001.log'), whole.subarray(0, length));
    const expected = states.findLast(({ bytes }) => bytes <= length)!.contents;
    assert.deepEqual([...(await contentsIn(cut))].sort(), [...expected].sort(), `${length} bytes`);
    if (length % 50 > 0) continue;
    // What the cut left is a journal to go on with.
    const goesOn = await Journal.open(cut, silentLogger);
    await goesOn.add(intentFor('/new'), snapshotOf(Buffer.from('x')));
    await goesOn.close();
    assert.equal((await contentsIn(cut)).get('/new'), 'x');
  }
});

test('no flipped bit gives a content that was not stored; all that is whole stays, and the loss is told', async (t) => {
  const folder = temporaryFolder(t);
  const journal = await Journal.open(folder, silentLogger);
  const stored = new Map<string, string>();
  for (const name of ['/a', '/b', '/c']) {
    stored.set(name, `content of ${name}`);
    await journal.add(intentFor(name), snapshotOf(Buffer.from(stored.get(name)!)));
  }
  await journal.close();
  const whole = readFileSync(join(folder, '00000001.log'));
  for (let at = 16; at < whole.length; at += 1) {
    const flipped = temporaryFolder(t);
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1 << (at % 8);
    writeFileSync(join(flipped, '00000001.log'), bytes);
    const lines: string[] = [];
    const found = await contentsIn(
      flipped,
      createLogger('warn', (line) => lines.push(line)),
    );
    for (const [path, content] of found) assert.equal(content, stored.get(path), `byte ${at}`);
    assert.ok(found.size >= 2, `byte ${at}: ${found.size} left`);
    // The last frame, when it is unreadable, can't be told from one that was being written.
    const tail = !found.has('/c') && lines.length === 0;
    assert.ok(found.size === 3 || tail || lines.length > 0, `byte ${at}: nothing told`);
    const isTold = readdirSync(flipped).includes('damaged');
    assert.equal(isTold, lines.length > 0, `byte ${at}`);
  }
});

test('a damaged large content is not used, and kept aside', async (t) => {
  const folder = temporaryFolder(t);
  const journal = await Journal.open(folder, silentLogger);
  await journal.add(intentFor('/large'), snapshotOf(pattern(1)(0, MiB)));
  await journal.add(intentFor('/small'), snapshotOf(Buffer.from('small')));
  await journal.close();
  const [name] = readdirSync(folder).filter((each) => each.endsWith('.content'));
  const bytes = readFileSync(join(folder, name!));
  bytes[500_000]! ^= 1;
  writeFileSync(join(folder, name!), bytes);
  assert.deepEqual([...(await contentsIn(folder)).keys()], ['/small']);
  const [aside] = readdirSync(join(folder, 'damaged'));
  assert.deepEqual(readFileSync(join(folder, 'damaged', aside!)), bytes);
});

test('a content that is a journal itself is no part of this one', async (t) => {
  const folder = temporaryFolder(t);
  const journal = await Journal.open(folder, silentLogger);
  await journal.add(intentFor('/inner'), snapshotOf(Buffer.from('inner')));
  const inner = readFileSync(join(folder, '00000001.log'));
  const second = await journal.add(intentFor('/outer'), snapshotOf(inner));
  journal.remove([...journal.entries][0]!);
  await journal.settle();
  await journal.close();
  const segment = join(folder, '00000001.log');
  const bytes = readFileSync(segment);
  // The frame around it unreadable: what is in it is looked at.
  bytes[second.place.at - 5]! ^= 1;
  writeFileSync(segment, bytes);
  assert.deepEqual(await contentsIn(folder), new Map());
});

test('zeros behind the last frame are room for the next one: no damage, and gone at a good end', async (t) => {
  const folder = temporaryFolder(t);
  const segment = join(folder, '00000001.log');
  const journal = await Journal.open(folder, silentLogger);
  await journal.add(intentFor('/a'), snapshotOf(Buffer.from('a')));
  const size = statSync(segment).size;
  assert.ok(size > endOfFrames(segment) + 100 * KiB);
  for (const name of ['/b', '/c'])
    await journal.add(intentFor(name), snapshotOf(Buffer.from(name)));
  assert.equal(statSync(segment).size, size, 'the file was long enough');
  const killed = copyOf(t, folder);
  const lines: string[] = [];
  const log = createLogger('warn', (line) => lines.push(line));
  assert.deepEqual([...(await contentsIn(killed, log)).keys()], ['/a', '/b', '/c']);
  assert.deepEqual(lines, []);
  // As many as fill the segment, and some more.
  const bytes = pattern(1)(0, 60 * KiB);
  for (let i = 0; i < 300; i += 1) await journal.add(intentFor(`/${i}`), snapshotOf(bytes));
  assert.equal(statSync(segment).size, endOfFrames(segment), 'it has a successor');
  await journal.close();
  const next = join(folder, '00000002.log');
  assert.equal(statSync(next).size, endOfFrames(next));
  assert.equal((await contentsIn(folder, log)).size, 303);
  assert.deepEqual(lines, []);
});

test('room is given back, and one old content does not keep it', async (t) => {
  const folder = temporaryFolder(t);
  const journal = await Journal.open(folder, silentLogger);
  const old = await journal.add(intentFor('/old'), snapshotOf(Buffer.from('old')));
  const bytes = pattern(1)(0, 256 * KiB);
  for (let i = 0; i < 400; i += 1) {
    journal.remove(await journal.add(intentFor('/x'), snapshotOf(bytes)));
  }
  journal.remove(await journal.add(intentFor('/large'), snapshotOf(pattern(1)(0, MiB))));
  const used = (): number =>
    readdirSync(folder).reduce((sum, name) => sum + sizeOf(join(folder, name)), 0);
  await until(() => used() <= 80 * MiB, 30_000);
  await journal.close();
  assert.equal(readdirSync(folder).filter((name) => name.endsWith('.content')).length, 0);
  assert.deepEqual(await contentsIn(folder), new Map([['/old', 'old']]));
  assert.equal(old.done, false);
});

test('what is being read stays readable when it is done', async (t) => {
  const folder = temporaryFolder(t);
  const journal = await Journal.open(folder, silentLogger);
  for (const size of [1000, MiB]) {
    const bytes = pattern(size)(0, size);
    const entry = await journal.add(intentFor('/x'), snapshotOf(bytes));
    journal.retain(entry);
    journal.remove(entry);
    await journal.settle();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(await contentOf(journal, entry), bytes);
    journal.release(entry);
  }
  await journal.close();
});

test(
  'a full disk fails the one who adds, and leaves the journal as it was',
  { skip: withoutRoot },
  async (t) => {
    const folder = smallFileSystem(t, 2 * MiB);
    const journal = await Journal.open(folder, silentLogger);
    await journal.add(intentFor('/there'), snapshotOf(Buffer.from('there')));
    const full = { code: 'ENOSPC' };
    await assert.rejects(
      journal.add(intentFor('/large'), snapshotOf(pattern(1)(0, 3 * MiB))),
      full,
    );
    const bytes = pattern(2)(0, 200 * KiB);
    let added = 0;
    await assert.rejects(async () => {
      for (; added < 20; added += 1) await journal.add(intentFor(`/${added}`), snapshotOf(bytes));
    }, full);
    await journal.add(intentFor('/small'), snapshotOf(Buffer.from('small')));
    await journal.close();
    const found = await contentsIn(folder);
    assert.equal(found.size, added + 2);
    assert.equal(found.get('/small'), 'small');
  },
);
