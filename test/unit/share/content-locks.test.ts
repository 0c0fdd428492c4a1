import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ContentLocks } from '../../../src/share/content-locks.js';
import { etagOf, VersionKeeper } from '../../../src/share/etag.js';
import { Root } from '../../../src/share/root.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { readToEnd, startShare, type Answer, type TestShare } from './fixture.js';
import { patch } from './partial-requests.js';

const FILE = { dev: 1n, ino: 2n };
const OTHER = { dev: 1n, ino: 3n };

function pending(): { work: () => Promise<void>; finish: () => void } {
  let finish!: () => void;
  const done = new Promise<void>((resolve) => (finish = resolve));
  return { work: () => done, finish };
}

test('a change has the file for itself; readings that were there before are spoiled', async () => {
  const locks = new ContentLocks();
  const [before, elsewhere, closed] = [locks.read(FILE), locks.read(OTHER), locks.read(FILE)];
  closed.close();
  const { work, finish } = pending();
  const change = locks.change(FILE, 7, work);
  const told = [before, elsewhere, closed].map(({ changedFrom }) => changedFrom);
  assert.deepEqual(told, [7, Infinity, Infinity]);
  assert.ok(locks.beingChanged(FILE));
  assert.ok(locks.inUse(FILE));
  assert.equal(locks.inUse(OTHER), undefined);
  finish();
  await change;
  assert.equal(locks.beingChanged(FILE), undefined);
  assert.equal(locks.read(FILE).changedFrom, Infinity);
  // A change that fails has changed something all the same, and is over.
  const after = locks.read(FILE);
  const failed = locks.change(FILE, 3, () => Promise.reject(new Error('full')));
  await assert.rejects(failed, /full/);
  await locks.change(FILE, 5, () => Promise.resolve());
  assert.deepEqual([after.changedFrom, locks.inUse(FILE)], [3, undefined]);
  for (const reading of [before, after, elsewhere]) reading.close();
});

test('a copy waits for a change, and keeps the next one waiting', async () => {
  const locks = new ContentLocks();
  const [first, copying, second] = [pending(), pending(), pending()];
  const change = locks.change(FILE, 0, first.work);
  let begun = 0;
  const copy = (held: { work: () => Promise<void> }): Promise<void> =>
    locks.copy(FILE, () => {
      begun++;
      return held.work();
    });
  const copies = [copy(copying), copy(second)];
  await Promise.resolve();
  assert.equal(begun, 0);
  first.finish();
  await change;
  await waitUntil('both copies to begin', () => begun === 2);
  // Who only reads need not wait.
  assert.equal(locks.beingChanged(FILE), undefined);
  copying.finish();
  await copies[0];
  assert.ok(locks.inUse(FILE));
  second.finish();
  await copies[1];
  assert.equal(locks.inUse(FILE), undefined);
});

const SIZE = 100_000_000;

/** A long change has begun: the file is growing. */
async function begin(t: TestShare): Promise<{ change: Promise<Answer> }> {
  fs.writeFileSync(t.at('f'), 'begin');
  const change = patch(t, 'append', Buffer.alloc(SIZE, 'x'));
  await waitUntil('the change to begin', () => fs.statSync(t.at('f')).size > 5, 20_000, 0);
  return { change };
}

test('who reads while a change is made gets the version that it makes', async () => {
  const t = await startShare();
  const { change } = await begin(t);
  const part = await t.request('GET', '/f', { headers: { Range: 'bytes=-1' } });
  assert.equal(part.headers['content-range'], `bytes ${SIZE + 4}-${SIZE + 4}/${SIZE + 5}`);
  const { status, headers } = await change;
  assert.deepEqual([status, headers.etag], [204, part.headers.etag]);
});

test('a change breaks off who is reading what it overwrites, and lets others be', async () => {
  const t = await startShare();
  const size = 16_000_000;
  for (const [range, condition, whole] of [
    ['bytes=15999999-', '', false],
    ['append', '', true],
    ['append', 'If-Match: "ETAG"\r\n', false],
  ] as const) {
    fs.writeFileSync(t.at('f'), Buffer.alloc(size, 'o'));
    const { etag = '' } = (await t.request('HEAD', '/f')).headers;
    const socket = await t.connect();
    const field = condition.replace('"ETAG"', etag);
    socket.write(`GET /f HTTP/1.1\r\nHost: x\r\n${field}Connection: close\r\n\r\n`);
    await new Promise((resolve) => socket.once('readable', resolve));
    assert.equal((await patch(t, range, 'new')).status, 204);
    const text = await readToEnd(socket);
    assert.match(text, /^HTTP\/1.1 200 /);
    const body = text.slice(text.indexOf('\r\n\r\n') + 4);
    assert.equal(body.length === size, whole, `${range} ${condition}`);
    assert.ok(!body.includes('n'));
  }
});

test('a COPY while a change is made, and a change while a COPY is made', async () => {
  const t = await startShare();
  const { change } = await begin(t);
  const copy = (to: string): Promise<Answer> =>
    t.request('COPY', '/f', { headers: { Destination: to } });
  assert.equal((await copy('/g')).status, 201);
  assert.equal((await change).status, 204);
  assert.equal(fs.statSync(t.at('g')).size, SIZE + 5);
  const copying = copy('/h');
  await waitUntil('the copy to begin', () => fs.readdirSync(t.dir).length > 2, 20_000, 0);
  assert.equal((await patch(t, 'bytes=-1', '!')).status, 204);
  assert.equal((await copying).status, 201);
  const copied = fs.readFileSync(t.at('h'));
  assert.deepEqual([copied.length, copied.at(-1)], [SIZE + 5, 'x'.charCodeAt(0)]);
});

test('a change in place never looks like the version before, within one tick of the clock', async () => {
  const dir = makeTempDir('davport-versions-');
  fs.writeFileSync(path.join(dir, 'f'), 'x');
  const root = new Root(dir, 'inside');
  const place = root.locate(['f'], true);
  const versions = new VersionKeeper();
  const before = place.existing();
  versions.note(before);
  // As if it had been changed, and no time had gone by.
  assert.equal(versions.settleNow(place), false);
  await versions.settle(place);
  assert.notEqual(etagOf(place.existing()), etagOf(before));
  place.close();
  root.close();
});
