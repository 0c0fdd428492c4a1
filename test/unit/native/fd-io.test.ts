import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FdIo, Readiness } from '../../../src/native/binding.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { binding, nextReady, socketPair, throwsCode } from './helpers.js';

const text = (value: string): Buffer => Buffer.from(value);

test('bytes written at one end are read at the other, at the offset asked for', () => {
  const [near, far] = socketPair();
  assert.equal(near.writev([text('ab'), text(''), text('cde')]), 5);
  const buffer = Buffer.alloc(8, '.');
  assert.equal(far.read(buffer, 2), 5);
  assert.equal(buffer.toString(), '..abcde.');
  near.close();
  far.close();
});

test('a read with nothing there is -1, after the other end has closed 0', () => {
  const [near, far] = socketPair();
  assert.equal(far.read(Buffer.alloc(1)), -1);
  near.close();
  assert.equal(far.read(Buffer.alloc(1)), 0);
  far.close();
});

test('a write is partial when there is less room, and -1 when there is none', () => {
  const [near, far] = socketPair();
  const big = Buffer.alloc(4 << 20);
  const first = near.writev([big]);
  assert.ok(first > 0 && first < big.length, String(first));
  let written = first;
  while (written > 0) written = near.writev([big]);
  assert.equal(written, -1);
  near.close();
  far.close();
});

test('1024 buffers go in one call; more are a RangeError', () => {
  const [near, far] = socketPair();
  const buffers = Array.from({ length: 1024 }, (_, at) => Buffer.of(at & 255));
  assert.equal(near.writev(buffers), 1024);
  const got = Buffer.alloc(2000);
  assert.equal(far.read(got), 1024);
  assert.deepEqual(got.subarray(0, 1024), Buffer.concat(buffers));
  assert.throws(() => near.writev([...buffers, Buffer.of(0)]), RangeError);
  near.close();
  far.close();
});

test('writing to an end without reader throws EPIPE', () => {
  const [near, far] = socketPair();
  far.close();
  throwsCode(() => near.writev([text('x')]), 'EPIPE');
  near.close();
});

test('poll tells readable, writable and hang-up', () => {
  const [near, far] = socketPair();
  assert.deepEqual(near.poll(), { readable: false, writable: true, hangup: false });
  far.writev([text('x')]);
  assert.deepEqual(near.poll(), { readable: true, writable: true, hangup: false });
  far.close();
  assert.deepEqual(near.poll(), { readable: true, writable: true, hangup: true });
  near.close();
});

test('a watch reports what poll(2) has, again and again, until it is stopped', async () => {
  const [near, far] = socketPair();
  far.writev([text('x')]);
  const seen: Readiness[] = [];
  near.watch(true, false, (ready) => {
    seen.push(ready);
    if (seen.length === 3) near.watch(false, false, () => undefined);
  });
  await waitUntil('three events', () => seen.length === 3);
  assert.deepEqual(seen[2], { readable: true, writable: true, hangup: false });
  assert.deepEqual(await nextReady(far, false, true), {
    readable: false,
    writable: true,
    hangup: false,
  });
  assert.equal(seen.length, 3);
  near.close();
  far.close();
});

test('the callback of the last watch is the one that is called', async () => {
  const [near, far] = socketPair();
  near.watch(true, false, () => assert.fail('the former callback'));
  const called = nextReady(near, true, false);
  far.writev([text('x')]);
  assert.equal((await called).readable, true);
  near.close();
  far.close();
});

test('the watch of a writer alone sees the hang-up', async () => {
  const [near, far] = socketPair();
  while (near.writev([Buffer.alloc(65536)]) > 0);
  const ready = nextReady(near, false, true);
  far.close();
  assert.equal((await ready).hangup, true);
  near.close();
});

test('an error condition is reported once, as all three, and ends the watch', async () => {
  const folder = makeTempDir();
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const reader = binding.open(join(folder, 'pipe'), constants.O_RDONLY);
  const writer = binding.open(join(folder, 'pipe'), constants.O_WRONLY);
  while (writer.writev([Buffer.alloc(65536)]) > 0);
  const seen: Readiness[] = [];
  writer.watch(false, true, (ready) => seen.push(ready));
  reader.close();
  await waitUntil('the event', () => seen.length > 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, [{ readable: true, writable: true, hangup: true }]);
  throwsCode(() => writer.writev([text('x')]), 'EPIPE');
  writer.close();
});

test('close within the callback: no further call', async () => {
  const [near, far] = socketPair();
  let calls = 0;
  near.watch(true, true, () => {
    calls += 1;
    near.close();
    far.close();
  });
  await waitUntil('the event', () => calls > 0);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 1);
});

test('close while watching: no call, and the descriptor number may be used again at once', async () => {
  const [near, far] = socketPair();
  near.watch(true, true, () => assert.fail('called after close'));
  const fd = near.fd;
  near.close();
  assert.equal(near.fd, -1);
  const [next, nextFar] = socketPair();
  assert.equal(next.fd, fd);
  nextFar.writev([text('x')]);
  assert.equal((await nextReady(next, true, false)).readable, true);
  for (const io of [far, next, nextFar]) io.close();
});

test('after close every call throws ERR_FD_CLOSED, but close itself', () => {
  const [near, far] = socketPair();
  near.close();
  near.close();
  const calls: ((io: FdIo) => unknown)[] = [
    (io) => io.read(Buffer.alloc(1)),
    (io) => io.readBatch(Buffer.alloc(1), new Uint32Array(1), 1),
    (io) => io.writev([]),
    (io) => io.poll(),
    (io) => io.watch(true, true, () => undefined),
    (io) => io.watch(false, false, () => undefined),
  ];
  for (const call of calls) throwsCode(() => call(near), 'ERR_FD_CLOSED');
  far.close();
});

test('a throwing callback is an uncaught exception like any other', () => {
  const script = `
    const b = require(process.argv[1]);
    const [near, far] = b.socketPair().map((fd) => b.openFd(fd));
    near.watch(false, true, () => { far.close(); near.close(); throw new Error('from the callback'); });
    process.on('uncaughtException', (error) => console.log('caught', error.message));`;
  const addon = `${import.meta.dirname}/../../../native/build/davport-${process.arch}.node`;
  const out = execFileSync(process.execPath, ['-e', script, addon], { timeout: 20_000 });
  assert.equal(out.toString(), 'caught from the callback\n');
});

test('promises settle between two callbacks', async () => {
  const [near, far] = socketPair();
  const order: string[] = [];
  near.watch(false, true, () => {
    order.push('call');
    void Promise.resolve().then(() => order.push('microtask'));
    if (order.length > 2) near.close();
  });
  await waitUntil('two events', () => near.fd < 0);
  assert.deepEqual(order, ['call', 'microtask', 'call', 'microtask']);
  far.close();
});

test('readBatch cuts messages at multiples of 8 and keeps to its limits', () => {
  // A datagram pair would be closest to /dev/fuse; a stream that is filled between two calls does as well.
  const [near, far] = socketPair();
  const buffer = Buffer.alloc(64, '.');
  const ends = new Uint32Array(4);
  assert.equal(near.readBatch(buffer, ends, 16), 0);
  far.writev([text('0123456789')]);
  assert.equal(near.readBatch(buffer, ends, 16), 1);
  assert.equal(ends[0], 10);
  far.writev([Buffer.alloc(60, 'x')]);
  // 64 bytes at once, so that less than minSpace is left for a second.
  assert.equal(near.readBatch(buffer, ends, 16), 1);
  assert.equal(ends[0], 60);
  assert.throws(() => near.readBatch(buffer, ends, 65), RangeError);
  assert.throws(() => near.readBatch(buffer, ends, 0), RangeError);
  assert.throws(() => near.readBatch(buffer, new Uint32Array(0), 16), RangeError);
  far.close();
  throwsCode(() => near.readBatch(buffer, ends, 16), 'ENODEV');
  near.close();
});

test('readBatch looks for a message for as long as it is told, and takes one that is there at once', () => {
  const [near, far] = socketPair();
  const buffer = Buffer.alloc(64);
  const ends = new Uint32Array(4);
  const start = process.hrtime.bigint();
  assert.equal(near.readBatch(buffer, ends, 16, 1000), 0);
  assert.ok(process.hrtime.bigint() - start >= 999_000n);
  far.writev([text('0123456789')]);
  assert.equal(near.readBatch(buffer, ends, 16, 1000), 1);
  assert.equal(buffer.subarray(0, ends[0]).toString(), '0123456789');
  assert.throws(() => near.readBatch(buffer, ends, 16, 1001), RangeError);
  far.close();
  throwsCode(() => near.readBatch(buffer, ends, 16, 1000), 'ENODEV');
  near.close();
});

test('readBatch finds what another process writes while it looks', async () => {
  const [near, far] = socketPair();
  const writer = spawn('sh', ['-c', 'while printf 12345678; do :; done'], {
    stdio: ['ignore', far.fd, 'ignore'],
  });
  const buffer = Buffer.alloc(64);
  const ends = new Uint32Array(4);
  // The event loop stands still meanwhile: only the writer can make it end.
  while (near.readBatch(buffer, ends, 16, 1000) === 0);
  assert.equal(buffer.subarray(0, 8).toString(), '12345678');
  writer.kill('SIGKILL');
  await once(writer, 'exit');
  far.close();
  near.close();
});

test('readBatch gives what it has before the end', () => {
  const zero = binding.open('/dev/zero', constants.O_RDONLY);
  const buffer = Buffer.alloc(100, 'x');
  const ends = new Uint32Array(3);
  assert.equal(zero.readBatch(buffer, ends, 8), 1);
  assert.deepEqual([...ends], [100, 0, 0]);
  zero.close();
});

test('a plain file can be read but not watched', () => {
  const folder = makeTempDir();
  writeFileSync(join(folder, 'file'), 'content');
  const io = binding.open(join(folder, 'file'), constants.O_RDONLY);
  const buffer = Buffer.alloc(10);
  assert.equal(io.read(buffer), 7);
  throwsCode(() => io.watch(true, false, () => undefined), 'EPERM');
  throwsCode(() => io.writev([text('x')]), 'EBADF');
  io.close();
});

test('an event object is the same for the same readiness, and frozen', async () => {
  const [near, far] = socketPair();
  const first = await nextReady(near, false, true);
  const second = await nextReady(near, false, true);
  assert.equal(first, second);
  assert.ok(Object.isFrozen(first));
  near.close();
  far.close();
});
