import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ranking } from '../../../src/share/search/ranking.js';
import type { OrderKey } from '../../../src/share/search/query.js';
import type { Subject } from '../../../src/share/live-properties.js';
import { Turns } from '../../../src/share/search/turns.js';
import { checkProperty } from '../../support/property.js';

const length = { ns: 'DAV:', name: 'getcontentlength' };
const name = { ns: 'DAV:', name: 'displayname' };

/** A subject is only what its properties say. */
interface Row {
  readonly size: number | undefined;
  readonly name: string;
}

function rank(rows: readonly Row[], order: readonly OrderKey[], bounds: [number, number]): Ranking {
  const read =
    ({ name: property }: { name: string }) =>
    (subject: Subject): string | undefined => {
      const row = subject as unknown as Row;
      return property === 'displayname' ? row.name : row.size?.toString();
    };
  const ranking = new Ranking(order, read, { results: bounds[0], characters: bounds[1] });
  for (const [at, row] of rows.entries()) {
    const keys = ranking.keysOf(row as unknown as Subject);
    if (ranking.wants(keys)) ranking.add(keys, String(at));
  }
  return ranking;
}

function byRow({ descending }: { descending: boolean }): (a: Row, b: Row) => number {
  // What has no size comes first; a negative one is no size at all, and sorts as if it were less.
  const size = (row: Row): number => row.size ?? -1;
  return (a, b) => {
    const sizes = descending ? size(b) - size(a) : size(a) - size(b);
    return sizes || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  };
}

const rows = fc.array(
  fc.record({
    size: fc.option(fc.nat(5), { nil: undefined }),
    name: fc.constantFrom('a', 'b', 'c'),
  }),
);

test('the best so many are what sorting all of them gives', (t) => {
  checkProperty(
    t,
    fc.property(rows, fc.integer({ min: 1, max: 8 }), fc.boolean(), (all, results, descending) => {
      const order = [
        { property: length, descending, caseless: false },
        { property: name, descending: false, caseless: true },
      ];
      const ranking = rank(all, order, [results, 1e9]);
      const compare = byRow({ descending });
      const sorted = [...all.keys()].sort((a, b) => compare(all[a]!, all[b]!) || a - b);
      assert.deepEqual([...ranking.take()], sorted.slice(0, results).map(String));
      assert.equal(ranking.incomplete, all.length > results);
    }),
  );
});

test('long results count by their length', () => {
  const many = Array.from({ length: 10 }, (_, at) => ({ size: at, name: '' }));
  const order = [{ property: length, descending: true, caseless: false }];
  const ranking = rank(many, order, [100, 3]);
  assert.deepEqual([...ranking.take()], ['9', '8', '7']);
  assert.equal(ranking.incomplete, true);
});

test('turns are taken in order; who leaves is passed over', async () => {
  const turns = new Turns(2);
  const never = new AbortController().signal;
  const leaving = new AbortController();
  const order: string[] = [];
  const first = await turns.take(never);
  const second = await turns.take(never);
  void turns.take(leaving.signal).then(() => order.push('left'));
  const third = turns.take(never).then((end) => {
    order.push('third');
    return end;
  });
  const fourth = turns.take(never).then((end) => {
    order.push('fourth');
    return end;
  });
  leaving.abort();
  assert.deepEqual(order, []);
  first();
  first();
  const endThird = await third;
  assert.deepEqual(order, ['third']);
  second();
  endThird();
  (await fourth)();
  assert.deepEqual(order, ['third', 'fourth']);
});
