/** The changes of a large file, written into it at a server that does so while the bytes arrive, while everything goes wrong that can. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { versionOf } from '../../../../src/vfs/reader/index.js';
import { isUploadName } from '../../../../src/webdav/hidden-names.js';
import { Change, OLD, SIZE } from './changed-file.js';
import { KiB, never, pattern } from './helpers.js';
import { PROFILES, type Call } from './scripted-peer.js';

const isPart = ({ method, path, start }: Call): boolean =>
  method === 'PUT' && path === '/d/f' && start !== undefined;

const { apache } = PROFILES;

test('a part is sent alone, after the server was seen to take it for one; it is tried once', async (t) => {
  const change = new Change(t, apache);
  await change.write(1000, 'a part');
  await change.upload();
  change.holds(change.content);
  const tried = change.peer.calls.filter(({ path }) => path !== '/d/f');
  assert.deepEqual(
    tried.map(({ method }) => method),
    ['PUT', 'PUT', 'PROPFIND', 'PUT', 'GET', 'DELETE'],
  );
  assert.ok(tried.every(({ path }) => isUploadName(path.slice('/d/'.length))));
  change.peer.calls.length = 0;
  await change.write(2000, 'another one');
  await change.write(SIZE, 'an append');
  const { resource } = await change.upload();
  change.holds(change.content);
  assert.deepEqual(versionOf(resource), versionOf(change.peer.resource('/d/f')));
  assert.ok(change.peer.calls.every(({ path }) => path === '/d/f'));
  assert.equal(change.peer.calls.filter(isPart).length, 2);
  assert.ok(change.peer.calls.every(({ method, end }) => method !== 'GET' || end !== undefined));
});

test('a server that takes a part for the whole file never gets one of a file', async (t) => {
  const change = new Change(t, apache);
  change.peer.takesRanges = false;
  await change.several();
  await change.upload();
  change.holds(change.content);
  assert.equal(change.peer.calls.filter(isPart).length, 0);
  await change.write(0, 'more');
  await change.upload();
  change.holds(change.content);
  assert.deepEqual(change.copies(), []);
});

test('what is shorter, large, or in many places goes whole; a longer file by its last byte', async (t) => {
  const change = new Change(t, apache);
  await change.staging.truncate(SIZE + 10 * KiB);
  await change.upload();
  change.holds(Buffer.concat([OLD, Buffer.alloc(10 * KiB)]));
  assert.equal(change.peer.calls.filter(isPart).length, 1);
  await change.staging.truncate(SIZE - 1);
  await change.upload();
  change.holds(OLD.subarray(0, SIZE - 1));
  const many = new Change(t, apache);
  for (let at = 0; at < 9; at += 1) await many.write(at * KiB, 'x');
  await many.upload();
  many.holds(many.content);
  assert.equal(change.peer.calls.filter(isPart).length + many.peer.calls.filter(isPart).length, 1);
});

test('parts cut anywhere and lost answers: what is there is looked at, and the change is completed', async (t) => {
  for (const fault of [{ loseAnswer: true }, ...[0, 1, 8, 16].map((cutAfter) => ({ cutAfter }))]) {
    for (const which of [1, 2, 3]) {
      const change = new Change(t, apache);
      await change.several();
      let parts = 0;
      change.peer.fault = (call) => (isPart(call) && (parts += 1) === which ? fault : undefined);
      await change.upload();
      change.holds(change.content);
      assert.deepEqual(change.copies(), [], JSON.stringify({ fault, which }));
    }
  }
});

for (const more of ['nothing', 'more of the same part', 'elsewhere']) {
  test(`the peer goes in the middle, and ${more} is written until it is back`, async (t) => {
    for (let moment = 1; moment <= 14; moment += 1) {
      for (const cutAfter of [3, undefined]) {
        const change = new Change(t, apache);
        await change.several();
        let calls = 0;
        change.peer.fault = ({ path }) => {
          if (path !== '/d/f') return undefined;
          calls += 1;
          const fault = cutAfter === undefined ? { loseAnswer: true } : { cutAfter };
          return calls < moment ? undefined : calls === moment ? fault : { status: 503 };
        };
        await change.upload().catch(() => undefined);
        change.peer.fault = () => undefined;
        if (more === 'elsewhere') await change.write(100 * KiB, 'since');
        if (more.startsWith('more')) await change.write(5, 'since, and over what was begun');
        await change.upload();
        change.holds(change.content);
        assert.deepEqual(change.copies(), [], `moment ${moment}, cut after ${cutAfter}`);
      }
    }
  });
}

test('a change by someone else at any moment: nothing of it is overwritten unseen', async (t) => {
  const theirs = Buffer.from(pattern(9)(0, SIZE + 7));
  for (let moment = 0; moment <= 16; moment += 1) {
    const change = new Change(t, apache);
    await change.several();
    let calls = 0;
    change.peer.fault = ({ path }) => {
      if (path === '/d/f' && (calls += 1) === moment) change.peer.put('/d/f', theirs);
      return undefined;
    };
    if (moment === 0) change.peer.put('/d/f', theirs);
    const result = await change.upload().then(
      () => 'stored',
      (error: unknown) => (error as { errno?: string }).errno,
    );
    if (calls < moment) {
      assert.equal(result, 'stored');
      continue;
    }
    if (result === 'stored') {
      // After the last look.
      change.holds(theirs);
      continue;
    }
    assert.equal(result, 'ESTALE', `moment ${moment}`);
    change.holds(theirs);
    const [copy, ...others] = change.copies();
    assert.deepEqual(others, []);
    const kept = change.peer.content(copy!)!;
    for (const [at, text] of [
      [10, 'at the beginning'],
      [SIZE - 3, 'over the end'],
      [300 * KiB, 'in the middle'],
    ] as const)
      assert.equal(kept.subarray(at, at + text.length).toString(), text);
  }
});

test('a refused part: those before it are taken back', async (t) => {
  const change = new Change(t, apache);
  await change.write(10, 'first');
  await change.write(300 * KiB, 'second');
  let parts = 0;
  change.peer.fault = (call) => (isPart(call) && (parts += 1) === 2 ? { status: 507 } : undefined);
  await assert.rejects(change.upload(), { code: 'DAV_507' });
  change.holds(OLD);
});

test('a version that the server does not vouch for yet: the whole is sent', async (t) => {
  const change = new Change(t, apache);
  const file = change.peer.files.get('/d/f')!;
  change.peer.files.set('/d/f', { ...file, etag: `W/${file.etag}` });
  change.expect = versionOf(change.peer.resource('/d/f'));
  change.staging.retag(change.expect);
  await change.write(10, 'first');
  await change.upload();
  change.holds(change.content);
  assert.equal(change.peer.calls.filter(isPart).length, 0);
});

test('an interrupt ends it, and the next upload completes it', async (t) => {
  for (let part = 1; part <= 3; part += 1) {
    const change = new Change(t, apache);
    await change.several();
    const interrupt = new AbortController();
    let parts = 0;
    change.peer.fault = (call) => {
      if (isPart(call) && (parts += 1) === part) interrupt.abort(new Error('interrupted'));
      return undefined;
    };
    await assert.rejects(change.upload(interrupt.signal), /interrupted/);
    change.peer.fault = () => undefined;
    await change.upload(never);
    change.holds(change.content);
    assert.deepEqual(change.copies(), []);
  }
});

test('a part that is written late, after its client has gone, never comes over what was written later', async (t) => {
  for (const interrupts of [true, false]) {
    const change = new Change(t, apache, 60_000);
    await change.write(1000, 'first');
    const interrupt = new AbortController();
    const doneLate = delay(300);
    let parts = 0;
    change.peer.fault = (call) => {
      if (!isPart(call) || (parts += 1) > 1) return undefined;
      if (interrupts) interrupt.abort(new Error('interrupted'));
      return { doneLate };
    };
    const uploaded = change.upload(interrupt.signal);
    if (interrupts) await assert.rejects(uploaded, /interrupted/);
    else await uploaded;
    await change.write(1000, 'later');
    await change.upload();
    await doneLate;
    change.holds(change.content);
    assert.deepEqual(versionOf(change.peer.resource('/d/f')), change.expect);
    assert.deepEqual(change.copies(), []);
  }
});

test('SabreDAV takes single parts by PATCH, because it says so', async (t) => {
  const davClasses = new Set(['1', 'sabredav-partialupdate']);
  const change = new Change(t, { ...PROFILES.apache, name: 'sabredav', davClasses });
  await change.several();
  await change.upload();
  change.holds(change.content);
  const changing = change.peer.methods().filter((method) => !['GET', 'PROPFIND'].includes(method));
  assert.deepEqual(changing, ['PATCH', 'PATCH', 'PATCH']);
});
