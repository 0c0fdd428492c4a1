import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watchdog, type Watched } from '../../../src/http/watchdog.js';
import { FakeClock } from './fake-clock.js';

function setUp() {
  const clock = new FakeClock();
  const state = {
    bytes: 0,
    progress: 0,
    phase: 'sent' as ReturnType<Watched['phase']>,
    half: 0,
    expired: undefined as boolean | undefined,
  };
  const watchdog = new Watchdog(clock, 16_000, () => state.bytes);
  const stop = watchdog.watch({
    progress: () => state.progress,
    phase: () => state.phase,
    onHalfTime: () => (state.half += 1),
    onExpire: (silent) => {
      state.expired ??= silent;
      stop();
    },
  });
  return { clock, state, stop };
}

test('silence: told at half-time, ended at the deadline', async () => {
  const { clock, state } = setUp();
  await clock.pass(7000);
  assert.equal(state.half, 0);
  await clock.pass(2000);
  assert.equal(state.half, 1);
  await clock.pass(6000);
  assert.deepEqual([state.half, state.expired], [1, undefined]);
  await clock.pass(1500);
  assert.equal(state.expired, true);
  assert.equal(clock.timers, 0);
});

test('own progress starts the time anew', async () => {
  const { clock, state, stop } = setUp();
  for (let i = 0; i < 20; i += 1) {
    await clock.pass(7000);
    state.progress += 1;
  }
  assert.deepEqual([state.half, state.expired], [0, undefined]);
  stop();
  assert.equal(clock.timers, 0);
});

test('bytes of others excuse silence, four times as long', async () => {
  const { clock, state } = setUp();
  for (let i = 0; i < 62; i += 1) {
    await clock.pass(1000);
    state.bytes += 1;
  }
  assert.equal(state.expired, undefined);
  for (let i = 0; i < 4; i += 1) {
    await clock.pass(1000);
    state.bytes += 1;
  }
  assert.equal(state.expired, false);
});

test('in the queue the progress of others counts without limit', async () => {
  const { clock, state, stop } = setUp();
  state.phase = 'queued';
  for (let i = 0; i < 200; i += 1) {
    await clock.pass(1000);
    state.bytes += 1;
  }
  assert.equal(state.expired, undefined);
  await clock.pass(18_000);
  assert.equal(state.expired, false);
  stop();
});

test('waiting for the own body is not the silence of the peer', async () => {
  const { clock, state, stop } = setUp();
  state.phase = 'source';
  await clock.pass(100_000);
  assert.deepEqual([state.half, state.expired], [0, undefined]);
  state.phase = 'sent';
  await clock.pass(18_000);
  assert.equal(state.expired, true);
  stop();
});

test('without a session the time runs, and nobody is to blame', async () => {
  const { clock, state } = setUp();
  state.phase = 'waiting';
  await clock.pass(18_000);
  assert.deepEqual([state.half, state.expired], [0, false]);
});

test('what this process slept through counts for nobody', async () => {
  const { clock, state } = setUp();
  await clock.pass(7000);
  clock.stop(100_000);
  await clock.pass(7000);
  assert.deepEqual([state.half, state.expired], [1, undefined]);
  state.progress += 1;
  await clock.pass(15_000);
  assert.equal(state.expired, undefined);
  await clock.pass(2500);
  assert.equal(state.expired, true);
});
