import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SiblingOrder } from '../../../src/vfs/sibling-order.js';

const NAMES = Array.from({ length: 100 }, (_, i) => `f${i}`);

function foreseen(order: SiblingOrder, most: number): string[] {
  const names: string[] = [];
  for (let name = order.foresee(); name !== undefined; name = order.foresee()) {
    names.push(name);
    if (names.length === most) break;
  }
  return names;
}

test('after three in turn the next are foreseen, each once, to the end', () => {
  const order = new SiblingOrder(NAMES);
  for (const name of ['f10', 'f11']) {
    order.use(name, false);
    assert.deepEqual(foreseen(order, 1), []);
  }
  assert.equal(order.use('f12', false), 'follows');
  assert.deepEqual(foreseen(order, 3), ['f13', 'f14', 'f15']);
  order.use('f13', false);
  assert.deepEqual(foreseen(order, 1), ['f16']);
  assert.equal(foreseen(order, 1000).length, 83);
});

test('a jump ends it, a step aside does not', () => {
  const order = new SiblingOrder(NAMES);
  for (const name of ['f10', 'f12', 'f11', 'f15', 'f13']) order.use(name, false);
  assert.deepEqual(foreseen(order, 1), ['f16']);
  assert.equal(order.use('f12', false), 'near');
  assert.deepEqual(foreseen(order, 1), ['f17']);
  for (const name of ['f80', 'f2', 'other']) {
    assert.equal(order.use(name, false), 'elsewhere');
    assert.deepEqual(foreseen(order, 1), []);
  }
});

test('with trust, the first of all is enough, and no other', () => {
  for (const [name, expected] of [
    ['f0', ['f1']],
    ['f1', []],
  ] as const) {
    const order = new SiblingOrder(NAMES);
    order.use(name, true);
    assert.deepEqual(foreseen(order, 1), expected);
  }
});
