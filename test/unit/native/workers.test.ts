import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { ROOT, openFds } from './helpers.js';
import { waitUntil } from '../../support/wait-until.js';

/** Moves bytes over pairs of its own until told to stop (or terminated), and says how many. */
const traffic = `
  const { parentPort, workerData } = require('node:worker_threads');
  const binding = require(workerData);
  const chunk = Buffer.alloc(4096);
  const ios = [];
  let bytes = 0;
  for (let at = 0; at < 3; at++) {
    const [near, far] = binding.socketPair().map((fd) => binding.openFd(fd));
    near.watch(false, true, () => near.writev([chunk, chunk]));
    far.watch(true, false, () => { bytes += far.read(chunk); if (bytes > 100000) parentPort.postMessage(bytes); });
    ios.push(near, far);
  }
  parentPort.on('message', () => { for (const io of ios) io.close(); parentPort.close(); });`;

function startTraffic(): Worker {
  const addon = `${ROOT}native/build/davport-${process.arch}.node`;
  return new Worker(traffic, { eval: true, workerData: addon });
}

test('several threads, each with its own descriptors', async () => {
  const fds = openFds();
  const workers = [startTraffic(), startTraffic(), startTraffic(), startTraffic()];
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const exits = workers.map((worker) => once(worker, 'exit'));
  for (const worker of workers) worker.postMessage('stop');
  for (const [code] of await Promise.all(exits)) assert.equal(code, 0);
  await waitUntil('all descriptors closed', () => openFds() <= fds);
});

test('threads terminated in the middle of traffic: no crash, no descriptor left', async () => {
  const fds = openFds();
  for (let round = 0; round < 15; round++) {
    const worker = startTraffic();
    await once(worker, 'message');
    await worker.terminate();
  }
  await waitUntil('all descriptors closed', () => openFds() <= fds);
});
