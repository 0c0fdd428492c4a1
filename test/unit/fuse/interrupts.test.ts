import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupts } from '../../../src/fuse/interrupts.js';
import { FuseRequest } from '../../../src/fuse/request.js';
import { MessageReader, RequestBuffer } from '../../../src/fuse/message-reader.js';

const request = (pid: number): FuseRequest => {
  const buffer = new RequestBuffer(40);
  buffer.words[0] = buffer.bytes.length;
  buffer.words[8] = pid;
  const reader = new MessageReader();
  assert.ok(reader.open(buffer, 0, buffer.bytes.length));
  return new FuseRequest(reader);
};

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await sleep(10);
  assert.ok(condition());
}

test('a signal that ends the caller ends its request at once', () => {
  const interrupts = new Interrupts(() => true);
  const one = request(7);
  interrupts.take(one);
  assert.equal(one.signal.aborted, true);
});

test('another lets it go on; ^C after it still ends it', async () => {
  let ending = false;
  const interrupts = new Interrupts(() => ending);
  const one = request(7);
  interrupts.take(one);
  assert.equal(one.signal.aborted, false);
  ending = true;
  await until(() => one.signal.aborted);
  interrupts.close();
});

test('an answered request is watched no more', async () => {
  let asked = 0;
  const interrupts = new Interrupts(() => {
    asked += 1;
    return false;
  });
  const one = request(7);
  interrupts.take(one);
  one.answered = true;
  const before = asked;
  await sleep(350);
  assert.equal(asked, before);
  assert.equal(one.signal.aborted, false);
  interrupts.close();
});
