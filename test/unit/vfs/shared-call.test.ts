import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedCalls } from '../../../src/vfs/shared-call.js';

test('callers of one key share one call', async () => {
  const calls = new SharedCalls<string>();
  let started = 0;
  const start = (): Promise<number> => Promise.resolve(++started);
  const answers = await Promise.all([
    calls.run('k', undefined, start),
    calls.run('k', undefined, start),
  ]);
  assert.deepEqual(answers, [1, 1]);
  assert.equal(await calls.run('k', undefined, start), 2, 'a later call asks anew');
});

test('one who gives up leaves the call to the others; the last one ends it', async () => {
  const calls = new SharedCalls<string>();
  const one = new AbortController();
  const two = new AbortController();
  let ended = false;
  const start = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        ended = true;
        reject(new Error('ended'));
      });
    });
  const first = calls.run('k', one.signal, start);
  const second = calls.run('k', two.signal, start);
  one.abort(new Error('one left'));
  await assert.rejects(first, /one left/);
  assert.equal(ended, false);
  two.abort(new Error('two left'));
  await assert.rejects(second, /two left/);
  assert.equal(ended, true);
  assert.equal(await calls.run('k', undefined, () => Promise.resolve(7)), 7);
});

test('a signal that is aborted already starts nothing that stays', async () => {
  const calls = new SharedCalls<string>();
  const signal = AbortSignal.abort(new Error('before'));
  await assert.rejects(
    calls.run('k', signal, () => new Promise<never>(() => undefined)),
    /before/,
  );
  assert.equal(await calls.run('k', undefined, () => Promise.resolve(1)), 1);
});
