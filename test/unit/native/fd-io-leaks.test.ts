import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { waitUntil } from '../../support/wait-until.js';
import { openFds, socketPair } from './helpers.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function churn(pairs: number): Promise<void> {
  for (let at = 0; at < pairs; at++) {
    const [near, far] = socketPair();
    near.watch(true, true, () => undefined);
    if (at % 2 === 0) near.watch(false, false, () => undefined);
    far.close();
    near.close();
    // Closed handles go in the next turn of the event loop.
    if (at % 500 === 0) await turn();
  }
  await turn();
  collect();
  await turn();
}

test('10,000 opened, watched and closed: no descriptor and no memory is left behind', async () => {
  await churn(1000);
  const fds = openFds();
  const before = process.memoryUsage().rss;
  await churn(5000);
  assert.equal(openFds(), fds);
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 16 << 20, `grown by ${grown} bytes`);
});

test('what nobody holds any more is closed by the collector, what is watched is not', async () => {
  const fds = openFds();
  let watched = 0;
  (() => {
    for (let at = 0; at < 50; at++) socketPair();
    const [near] = socketPair();
    // `far` is collected and thereby closed, which this watch then sees.
    near.watch(true, false, (ready) => {
      if (ready.hangup) near.close();
      watched += 1;
    });
  })();
  await waitUntil('the collector', async () => {
    collect();
    await turn();
    return openFds() <= fds;
  });
  assert.ok(watched > 0);
});
