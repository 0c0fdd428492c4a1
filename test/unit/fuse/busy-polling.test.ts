import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BusyPolling } from '../../../src/fuse/busy-polling.js';

const SPIN_US = 50;

/** How many of `chances` were used, where each use finds a request or not, and takes so long. */
function used(
  polling: BusyPolling,
  clock: { ms: number },
  chances: number,
  found: boolean,
  us = 1,
) {
  let count = 0;
  for (let chance = 0; chance < chances; chance += 1) {
    if (polling.begin() === 0) continue;
    count += 1;
    clock.ms += us / 1000;
    polling.end(found);
  }
  return count;
}

function make(spinUs = SPIN_US): { polling: BusyPolling; clock: { ms: number } } {
  const clock = { ms: 0 };
  return { polling: new BusyPolling(spinUs, () => clock.ms), clock };
}

test('while requests come in time every chance is used', () => {
  const { polling, clock } = make();
  assert.equal(polling.begin(), SPIN_US);
  assert.equal(used(polling, clock, 1000, true), 1000);
});

test('in vain it is used less and less, but never given up', () => {
  const { polling, clock } = make();
  assert.ok(used(polling, clock, 1000, false) <= 10);
  const later = used(polling, clock, 100_000, false);
  assert.ok(later > 90 && later < 110, String(later));
});

test('one request in time, and it is used at every chance again', () => {
  const { polling, clock } = make();
  used(polling, clock, 5000, false);
  for (let chance = 0; used(polling, clock, 1, true) === 0; chance += 1) assert.ok(chance < 2000);
  assert.equal(used(polling, clock, 100, true), 100);
});

test('a request found late, because others had the CPU meanwhile, counts as none', () => {
  const { polling, clock } = make();
  assert.ok(used(polling, clock, 1000, true, 3000) <= 10);
});

test('0 is never', () => {
  const { polling } = make(0);
  for (let chance = 0; chance < 100; chance += 1) assert.equal(polling.begin(), 0);
});
