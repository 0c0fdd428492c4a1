import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBack, ReceiveMemory } from '../../../src/receive-memory.js';

const READ_BYTES = 64 * 1024;

/** Receives until another block has begun; gives all that was received. */
function fillBlock(memory: ReceiveMemory): Buffer[] {
  const first = memory.take(memory.room().length >> 1);
  const taken = [first];
  while (memory.room().buffer === first.buffer) taken.push(memory.take(10_000));
  return taken;
}

test('a block is used again when all of it came back, and not before', () => {
  const memory = new ReceiveMemory(READ_BYTES);
  const [last, ...others] = fillBlock(memory);
  for (const piece of others) giveBack(piece.buffer, piece.length);
  // In parts.
  giveBack(last!.buffer, last!.length - 1);
  const seen = new Set(fillBlock(memory).map(({ buffer }) => buffer));
  assert.ok(!seen.has(last!.buffer));
  giveBack(last!.buffer, 1);
  fillBlock(memory);
  assert.equal(memory.room().buffer, last!.buffer);
});

test('a block that came back while it is being filled goes on being filled', () => {
  const memory = new ReceiveMemory(READ_BYTES);
  const first = memory.take(memory.room().length >> 1);
  giveBack(first.buffer, first.length);
  const second = memory.take(100);
  assert.equal(second.buffer, first.buffer);
  assert.equal(second.byteOffset, first.length);
  while (memory.room().buffer === first.buffer) memory.take(10_000);
  const seen = fillBlock(memory);
  assert.ok(seen.every(({ buffer }) => buffer !== first.buffer));
});

test('there is always room for one read', () => {
  const memory = new ReceiveMemory(READ_BYTES);
  for (let bytes = 1; bytes < READ_BYTES; bytes += 977) {
    assert.ok(memory.room().length >= READ_BYTES);
    memory.take(bytes);
  }
});

test('other memory may be given back as well', () => {
  const memory = new ReceiveMemory(READ_BYTES);
  const others = Buffer.alloc(100);
  giveBack(others.buffer, others.length);
  assert.notEqual(memory.room().buffer, others.buffer);
});
