import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numbered, SiblingOrder, Siblings } from '../../../src/vfs/sibling-order.js';

const NAMES = Array.from({ length: 100 }, (_, i) => `f${i}`);
const forward = (): SiblingOrder => new SiblingOrder(numbered(NAMES), 'forward');

function foreseen(order: Pick<SiblingOrder, 'foresee'>, most: number): string[] {
  const names: string[] = [];
  for (let name = order.foresee(); name !== undefined; name = order.foresee()) {
    names.push(name);
    if (names.length === most) break;
  }
  return names;
}

test('after three in turn the next are foreseen, each once, to the end', () => {
  const order = forward();
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
  const order = forward();
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
    const order = forward();
    order.use(name, true);
    assert.deepEqual(foreseen(order, 1), expected);
  }
});

test('backward is the same from the other end', () => {
  const order = new SiblingOrder(numbered(NAMES), 'backward');
  order.use('f99', true);
  assert.deepEqual(foreseen(order, 2), ['f98', 'f97']);
  for (const name of ['f60', 'f59', 'f58']) order.use(name, false);
  assert.deepEqual(foreseen(order, 1), []);
  order.use('f57', false);
  assert.deepEqual(foreseen(order, 2), ['f56', 'f55']);
  assert.equal(foreseen(order, 1000).length, 55);
});

test('a folder is gone through in any of its orders, and only what comes next in that one is foreseen', () => {
  const listed = 'caebdfhg'.split('');
  for (const [used, next] of [
    ['caeb', 'dfhg'],
    ['ghfd', 'beac'],
    ['abcd', 'efgh'],
    ['hgfe', 'dcba'],
  ] as const) {
    const siblings = new Siblings(listed, { backward: true });
    for (const name of used) siblings.use(name, false);
    assert.equal(foreseen(siblings, 100).join(''), next);
  }
});
