import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from '../../bench/options.js';
import { formatRow, median, ratio, type Cell } from '../../bench/report.js';
import { figureOf, ROWS } from '../../bench/rows.js';

const cell = (figure: number): Cell => ({ figure, requests: 3, memory: 99.6 });
const rowOf = (name: string) => ROWS.find((row) => row.name === name)!;

test('the median is of what was measured, failures aside', () => {
  assert.deepEqual(median([cell(3), cell(1), cell(2)]), cell(2));
  assert.deepEqual(median(['broken', cell(5), cell(4)]), cell(4));
  assert.equal(median(['broken', 'again']), 'broken');
});

test('a ratio over 1 says that the first is better, in times and in rates', () => {
  assert.equal(ratio(rowOf('walk'), 2, 4), 2);
  assert.equal(ratio(rowOf('read'), 400, 100), 4);
});

test('figures are in the unit of the row', () => {
  assert.equal(figureOf(rowOf('read'), 1e6, 0.5), 2);
  assert.equal(figureOf(rowOf('first'), 1, 0.005), 5);
  assert.equal(figureOf(rowOf('walk'), 10_000, 2), 2);
  assert.equal(figureOf(rowOf('small'), 1000, 2), 500);
});

test('a row shows each side with its ratio, its requests and its rounds', () => {
  const text = formatRow(rowOf('read'), [
    { side: 'davport', outcomes: [cell(400), cell(380), cell(420)] },
    { side: 'null', outcomes: [cell(1000)] },
    { side: 'rclone', outcomes: ['no such thing'] },
  ]);
  const [title, davport, nothing, rclone] = text.split('\n').map((line) => line.split(/ +/));
  assert.equal(title?.[0], 'read:');
  assert.deepEqual(davport?.slice(1), [
    ...['davport', '400', 'MB/s', '3', 'requests', '100', 'MiB', '(400', '380', '420)'],
  ]);
  assert.deepEqual(nothing?.slice(1, 5), ['null', '1000', 'MB/s', '×0.40']);
  assert.deepEqual(rclone?.slice(1, 4), ['rclone', 'failed:', 'no']);
});

test('options: what is not named is all, and what there is not is refused', () => {
  const options = parseOptions(['--rows', 'walk,read', '--rtt', '1,20', '--bandwidth', '12.5'])!;
  assert.deepEqual(
    options.rows.map(({ name }) => name),
    ['read', 'walk'],
  );
  assert.deepEqual(options.roundTripsMs, [1, 20]);
  assert.equal(options.bytesPerSecond, 12_500_000);
  assert.equal(parseOptions([])!.rows.length, ROWS.length);
  assert.equal(parseOptions(['--help']), undefined);
  for (const wrong of [
    ['--rows', 'nothing'],
    ['--sides', 'nfs'],
    ['--server', 'nginx'],
    ['--rtt', 'soon'],
    ['--bandwidth', '0'],
    ['--rounds', '0'],
    ['--fast'],
  ]) {
    assert.throws(() => parseOptions(wrong), Error, wrong.join(' '));
  }
});
