import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots } from '../../../src/http/slots.js';

test('metadata goes first, each kind in order, nobody over the limits', () => {
  const slots = new Slots({ total: 3, metadata: 2, bulk: 2 });
  const granted: string[] = [];
  assert.ok(slots.tryTake('bulk'));
  assert.ok(slots.tryTake('bulk'));
  assert.ok(!slots.tryTake('bulk'));
  assert.ok(slots.tryTake('metadata'));
  assert.ok(!slots.tryTake('metadata'));
  slots.wait('bulk', () => granted.push('b1'));
  slots.wait('metadata', () => granted.push('m1'));
  const leave = slots.wait('metadata', () => granted.push('left'));
  slots.wait('metadata', () => granted.push('m2'));
  leave();
  slots.release('bulk');
  assert.deepEqual(granted, ['m1']);
  slots.release('bulk');
  assert.deepEqual(granted, ['m1', 'b1']);
  slots.release('metadata');
  assert.deepEqual(granted, ['m1', 'b1', 'm2']);
  assert.equal(slots.inFlight, 3);
});

test('nobody overtakes who waits', () => {
  const slots = new Slots({ total: 1, metadata: 1, bulk: 1 });
  assert.ok(slots.tryTake('metadata'));
  let granted = false;
  slots.wait('metadata', () => (granted = true));
  slots.release('metadata');
  assert.ok(granted);
  assert.ok(!slots.tryTake('metadata'));
});
