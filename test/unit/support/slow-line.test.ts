import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SlowLine } from '../../support/slow-line.js';
import { FakeClock } from '../http/fake-clock.js';

interface Arrival {
  readonly what: string;
  readonly at: number;
}

function lineOf(delayMs: number, bytesPerSecond: number) {
  const clock = new FakeClock();
  const line = new SlowLine({ delayMs, bytesPerSecond }, clock);
  const arrived: Arrival[] = [];
  const send = (what: string, bytes: number): boolean =>
    line.send(bytes, () => arrived.push({ what, at: clock.now() }));
  return { clock, line, arrived, send };
}

test('what goes in comes out later, in order', async () => {
  const { clock, arrived, send } = lineOf(20, Infinity);
  send('a', 1000);
  await clock.pass(5);
  send('b', 1_000_000);
  await clock.pass(14);
  assert.deepEqual(arrived, []);
  await clock.pass(100);
  assert.deepEqual(arrived, [
    { what: 'a', at: 20 },
    { what: 'b', at: 25 },
  ]);
});

test('bytes pass at the rate of the line, whoever sent them', async () => {
  const { clock, arrived, send } = lineOf(10, 1_000_000);
  send('a', 5000);
  send('b', 5000);
  send('end', 0);
  await clock.pass(1000);
  assert.deepEqual(arrived, [
    { what: 'a', at: 15 },
    { what: 'b', at: 20 },
    { what: 'end', at: 20 },
  ]);
  // A line that was idle has not saved up.
  send('c', 5000);
  await clock.pass(1000);
  assert.deepEqual(arrived.at(-1), { what: 'c', at: 1015 });
});

test('a line without delay and limit delivers at once', () => {
  const { arrived, send } = lineOf(0, Infinity);
  assert.equal(send('a', 1 << 30), true);
  assert.deepEqual(arrived, [{ what: 'a', at: 0 }]);
});

test('what is under way is bounded: room comes when something has arrived', async () => {
  const { clock, line, arrived, send } = lineOf(100, 10_000_000);
  let sent = 0;
  // 1 MB is in the wire at this rate and delay, and something waits before it.
  while (send('piece', 64 * 1024)) sent += 1;
  assert.ok(sent * 64 * 1024 >= 1_000_000 && sent * 64 * 1024 < 2_000_000, `${sent} pieces`);
  let hasRoom = false;
  line.onRoom(() => (hasRoom = true));
  await clock.pass(99);
  assert.equal(hasRoom, false);
  await clock.pass(20);
  assert.equal(hasRoom, true);
  assert.ok(arrived.length > 0);
  await clock.pass(1000);
  assert.equal(arrived.length, sent + 1);
});
