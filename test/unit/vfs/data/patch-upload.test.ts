/** The changes of a large file, brought to a share that takes parts, while everything goes wrong that can. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { versionOf } from '../../../../src/vfs/reader/index.js';
import { Change, OLD, SIZE } from './changed-file.js';
import { KiB, never, pattern } from './helpers.js';
import { PROFILES, SHARE, type Call } from './scripted-peer.js';

test('several parts and the new length go by one request, and nothing is fetched', async (t) => {
  const change = new Change(t, SHARE);
  await change.several();
  const { resource } = await change.upload();
  change.holds(change.content);
  assert.deepEqual(change.peer.methods(), ['PATCH']);
  assert.deepEqual(versionOf(resource), versionOf(change.peer.resource('/d/f')));
  await change.write(5, 'again');
  await change.upload();
  change.holds(change.content);
  assert.deepEqual(change.peer.methods(), ['PATCH', 'PATCH']);
  await change.staging.truncate(1000);
  await change.upload();
  change.holds(change.content.subarray(0, 1000));
  assert.deepEqual(change.peer.methods(), ['PATCH', 'PATCH', 'PATCH']);
});

test('most of the file changed: the rest is fetched, and all of it goes as a whole', async (t) => {
  const change = new Change(t, SHARE);
  await change.write(0, 'x'.repeat(400 * KiB));
  await change.upload();
  change.holds(change.content);
  assert.deepEqual(new Set(change.peer.methods()), new Set(['GET', 'PUT']));
});

test('all of the file changed: nothing is fetched', async (t) => {
  const change = new Change(t, SHARE);
  await change.write(0, 'x'.repeat(SIZE));
  await change.upload();
  change.holds(change.content);
  assert.deepEqual(change.peer.methods(), ['PUT']);
});

test('a cut request is made again, and the target is old or new', async (t) => {
  const change = new Change(t, SHARE);
  await change.several();
  let cuts = 0;
  change.peer.fault = ({ method }) => {
    const present = change.peer.content('/d/f')!;
    assert.ok(present.equals(OLD) || present.equals(change.content));
    return method === 'PATCH' && (cuts += 1) <= 2 ? { cutAfter: 5 } : undefined;
  };
  await change.upload();
  change.holds(change.content);
  await change.write(20, 'more');
  change.peer.fault = ({ method }) => (method === 'PATCH' ? { cutAfter: 5 } : undefined);
  await assert.rejects(change.upload(), { code: 'HTTP_LOST' });
  change.peer.fault = () => undefined;
  await change.upload();
  change.holds(change.content);
  assert.deepEqual(change.copies(), []);
});

test('a lost answer: what is there is compared with ours', async (t) => {
  const change = new Change(t, SHARE);
  await change.several();
  let lost = 0;
  change.peer.fault = ({ method }) =>
    method === 'PATCH' && (lost += 1) === 1 ? { loseAnswer: true } : undefined;
  await change.upload();
  change.holds(change.content);
  assert.equal(change.peer.methods().filter((method) => method === 'PATCH').length, 1);
  assert.deepEqual(change.copies(), []);
});

for (const more of [false, true]) {
  const what = more ? 'more was written since' : 'nothing was written since';
  test(`done without an answer and the peer gone, then tried again: ${what}`, async (t) => {
    const change = new Change(t, SHARE);
    await change.several();
    change.peer.fault = () => ({ loseAnswer: true });
    await assert.rejects(change.upload(), { code: 'HTTP_LOST' });
    change.holds(change.content);
    change.peer.fault = () => undefined;
    if (more) await change.write(SIZE + 100, 'since');
    await change.upload();
    change.holds(change.content);
    assert.deepEqual(change.copies(), []);
  });
}

test('an interrupt at any moment leaves the target old or new, and the next upload brings all', async (t) => {
  for (let moment = 1; moment <= 2; moment += 1) {
    const change = new Change(t, SHARE);
    await change.several();
    const interrupt = new AbortController();
    let calls = 0;
    change.peer.fault = () => {
      if ((calls += 1) !== moment) return { loseAnswer: moment === 2 };
      interrupt.abort(new Error('interrupted'));
      return undefined;
    };
    await assert.rejects(change.upload(interrupt.signal));
    change.peer.fault = () => undefined;
    await change.write(50, 'since');
    await change.upload();
    change.holds(change.content);
    assert.deepEqual(change.copies(), []);
  }
});

test('a change by someone else at any moment is a conflict, and no byte of either is lost', async (t) => {
  const theirs = Buffer.from(pattern(9)(0, SIZE + 7));
  for (const how of ['changed', 'removed'] as const) {
    for (let moment = 0; moment <= 3; moment += 1) {
      const change = new Change(t, SHARE);
      await change.several();
      let calls = 0;
      const interfere = (): undefined => {
        if (how === 'changed') change.peer.put('/d/f', theirs);
        else change.peer.files.delete('/d/f');
      };
      change.peer.fault = (call: Call) =>
        (calls += 1) === moment && call.method !== 'COPY' ? interfere() : undefined;
      if (moment === 0) interfere();
      const result = await change.upload().then(
        () => 'stored',
        (error: unknown) => (error as { errno?: string }).errno,
      );
      if (result === 'stored') {
        assert.ok(moment > 1);
        change.holds(change.content);
        continue;
      }
      assert.equal(result, 'ESTALE', `${how} at ${moment}`);
      if (how === 'changed') change.holds(theirs);
      const [copy, ...others] = change.copies();
      assert.equal(others.length, 0);
      const base = how === 'changed' ? theirs : Buffer.alloc(0);
      const expected = Buffer.alloc(change.content.length);
      base.copy(expected);
      for (const [at, text] of [
        [10, 'at the beginning'],
        [SIZE - 3, 'over the end'],
        [300 * KiB, 'in the middle'],
      ] as const)
        expected.write(text, at);
      change.holds(expected, copy);
    }
  }
});

test('a conflict whose whole content is still here: the copy has it', async (t) => {
  const change = new Change(t, SHARE);
  await change.several();
  await change.staging.complete({ signal: never });
  change.peer.put('/d/f', Buffer.from('theirs'));
  await assert.rejects(change.upload(), { errno: 'ESTALE' });
  assert.match(change.copies()[0]!, /^\/d\/f \(conflict [-\d]+ [-\d]+\)$/);
  change.holds(change.content, change.copies()[0]);
});

test('a line like ours that someone else has appended is a conflict, not taken for ours', async (t) => {
  const change = new Change(t, SHARE);
  await change.write(SIZE, 'the same line\n');
  change.peer.put('/d/f', change.content);
  await assert.rejects(change.upload(), { errno: 'ESTALE' });
  assert.equal(change.copies().length, 1);
});

test('refusals pass with their status, and a server that takes no parts gets the whole', async (t) => {
  for (const status of [403, 423, 507]) {
    const change = new Change(t, SHARE);
    await change.several();
    change.peer.fault = ({ method }) => (method === 'PATCH' ? { status } : undefined);
    await assert.rejects(change.upload(), { code: `DAV_${status}` });
    change.holds(OLD);
  }
  const change = new Change(t, SHARE);
  await change.several();
  change.peer.fault = ({ method }) => (method === 'PATCH' ? { status: 501 } : undefined);
  await change.upload();
  change.holds(change.content);
});

test('phodav and unknown servers never get a part', async (t) => {
  for (const profile of [PROFILES.phodav, PROFILES.unknown, PROFILES.davport]) {
    const change = new Change(t, SHARE);
    await change.several();
    Object.assign(change.peer, { profile });
    await change.upload();
    change.holds(change.content);
    assert.ok(!change.peer.methods().includes('PATCH'));
  }
});
