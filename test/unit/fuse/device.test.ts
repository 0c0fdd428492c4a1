/** How often and how long the device is looked at: by the calls of a scripted descriptor, not by time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BusyPolling } from '../../../src/fuse/busy-polling.js';
import { DeviceReader } from '../../../src/fuse/device.js';
import type { FdIo, Readiness } from '../../../src/native/binding.js';
import { makeSession, request, scriptedFileSystem, settled, u32, u64 } from './support/wire.js';

const SPIN_US = 50;
const getattr = (unique: number): Buffer => request({ opcode: 3, unique }, u32(0), u32(0), u64(0));

/** Each element is what one readBatch finds. Records for how long each was to look. */
class ScriptedDevice implements FdIo {
  readonly fd = 3;
  readonly looks: number[] = [];
  /** How many messages each was ready to take. */
  readonly rooms: number[] = [];
  readonly found: Buffer[][] = [];
  /** The descriptor becomes readable. */
  ready: () => void = () => undefined;

  watch(_readable: boolean, _writable: boolean, callback: (ready: Readiness) => void): void {
    this.ready = () => callback({ readable: true, writable: true, hangup: false });
  }
  readBatch(buffer: Buffer, ends: Uint32Array, _minSpace: number, spinUs = 0): number {
    this.looks.push(spinUs);
    this.rooms.push(ends.length);
    let at = 0;
    const messages = this.found.shift() ?? [];
    assert.ok(messages.length <= ends.length);
    messages.forEach((message, index) => {
      message.copy(buffer, at);
      ends[index] = at + message.length;
      at = (ends[index] + 7) & ~7;
    });
    return messages.length;
  }
  poll = (): Readiness => assert.fail('not needed');
  read = (): number => assert.fail('not needed');
  writev = (): number => assert.fail('not needed');
  close = (): void => undefined;
}

function start(answer: () => unknown, spinUs = SPIN_US) {
  const device = new ScriptedDevice();
  const { session, transport } = makeSession(scriptedFileSystem({ getattr: answer }).fs);
  const reader = new DeviceReader(device, session, new BusyPolling(spinUs, () => 0), (error) =>
    assert.fail(String(error)),
  );
  reader.start();
  return { device, transport, reader };
}

const attributes = {
  ...{ ino: 1, size: 0, mode: 0o100644, nlink: 1, uid: 0, gid: 0, rdev: 0, blksize: 1, blocks: 0 },
  ...{ atime: { sec: 0, nsec: 0 }, mtime: { sec: 0, nsec: 0 }, ctime: { sec: 0, nsec: 0 } },
};
const answer = (): unknown => ({ attributes, attrTimeoutMs: 0 });

test('the device is looked at for a while after replies, and not before', () => {
  const { device, transport, reader } = start(answer);
  device.found.push([getattr(2)], [getattr(4)]);
  device.ready();
  assert.equal(transport.sent.length, 2);
  assert.deepEqual(device.looks, [0, SPIN_US, SPIN_US]);
  reader.stop();
});

test('where nothing comes it is not looked at again until there is something', async () => {
  const { device, reader } = start(answer);
  device.found.push([getattr(2)]);
  device.ready();
  const looks = device.looks.length;
  await settled();
  assert.equal(device.looks.length, looks);
  reader.stop();
});

test('a request that waits for the peer is not held up', async () => {
  let finish: (value: unknown) => void = () => undefined;
  const late = new Promise((resolve) => (finish = resolve));
  const { device, transport, reader } = start(() => late);
  device.found.push([getattr(2)]);
  device.ready();
  assert.deepEqual(device.looks, [0, 0]);
  finish(answer());
  await settled();
  assert.equal(transport.sent.length, 1);
  reader.stop();
});

test('switched off it is never looked at for longer than a call takes', () => {
  const { device, reader } = start(answer, 0);
  for (let unique = 2; unique < 20; unique += 2) device.found.push([getattr(unique)]);
  device.ready();
  assert.ok(device.looks.length > 1);
  assert.ok(device.looks.every((us) => us === 0));
  reader.stop();
});

test('others get the event loop though requests never end', () => {
  const { device, reader } = start(answer);
  for (let unique = 2; unique < 2000; unique += 2) device.found.push([getattr(unique)]);
  device.ready();
  assert.ok(device.looks.length <= 100, String(device.looks.length));
  reader.stop();
});

test('one request is read and answered by two looks; what comes in crowds is read in crowds', () => {
  const { device, transport, reader } = start(answer);
  device.found.push([getattr(2)]);
  device.ready();
  assert.equal(device.rooms.length, 2);
  device.found.push([getattr(4)], [getattr(6), getattr(8), getattr(10)]);
  device.ready();
  assert.equal(transport.sent.length, 5);
  assert.deepEqual(
    device.rooms.map((room) => room === 1),
    [true, false, true, false, false],
  );
  reader.stop();
});
